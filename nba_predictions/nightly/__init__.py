"""The steps of a nightly run as plain functions over the ports.

The Dagster assets call them, and a whole night can be run and tested without Dagster. Pure rules
belong in `domain/`, access to a backend belongs in an adapter.
"""
