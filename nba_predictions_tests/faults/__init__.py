"""Crashes, kills, races and network faults at every write of a night.

Tests here disturb a night and compare the final state with an undisturbed one. Tests of expected
failures belong in `e2e/`.
"""
