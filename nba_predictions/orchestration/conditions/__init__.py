"""Conditions read from Dagster's storage: failed checks, failed runs and missed ticks.

Code here lists conditions for the alerting sensors. Delivering alerts belongs in `alerts/`.
"""
