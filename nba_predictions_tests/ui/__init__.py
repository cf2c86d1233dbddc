"""Tests of the Dagster UI in a real browser.

They are skipped if no browser is installed. They test what a page shows, not what an asset
computes.
"""
