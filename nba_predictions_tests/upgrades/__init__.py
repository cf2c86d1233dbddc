"""Tests that this version continues from what an earlier version stored.

A stored state is written by the earlier version's own code, never by hand or by this version.
"""
