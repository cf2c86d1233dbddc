"""The test suite. Its packages mirror those of `nba_predictions`.

Tests of several packages together are in `contracts/`, `e2e/`, `faults/`, `deploy/` and `ui/`. The
modules at this level hold shared fixtures, examples and stand-in backends.
"""
