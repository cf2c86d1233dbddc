"""All Dagster code: assets, checks, sensors, schedules, jobs, partitions and resources.

An asset or sensor here is short and calls a function of a lower layer. Only this package, `cli/`
and `definitions.py` import Dagster.
"""
