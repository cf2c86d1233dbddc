"""Conditions read from Dagster's storage: failed checks, failed runs and missed ticks.

Code here lists conditions for the alert sensors. Delivering alerts belongs in `alerts/`.
"""
