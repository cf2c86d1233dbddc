"""The steps of a night as plain functions over the ports: what the Dagster assets call.

The whole night can be run and tested from here without Dagster.
"""
