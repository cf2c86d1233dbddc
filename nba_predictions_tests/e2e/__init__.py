"""Whole nights through the real Dagster definitions.

Tests here run jobs, sensors and commands, and compare tables. Tests of a single step belong in the
package of that step.
"""
