"""Tests that click through the Dagster UI in a real browser.

They are skipped when no browser is installed. What a page shows is tested here, what an asset
computes is not.
"""
