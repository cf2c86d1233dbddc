"""Predict player statistics for every NBA game date and write the rows to the warehouse.

This package wires the backends together (`definitions.py`) and holds what all layers share:
settings, logs and the Google Cloud client rules. Everything else belongs in one of the
subpackages.
"""

__version__ = "0.1.0"
