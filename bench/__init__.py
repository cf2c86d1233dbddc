"""Measurements of the pipeline's speed and memory. `make bench` runs them.

They report ratios within one run. Tests and timing limits do not belong here.
"""
