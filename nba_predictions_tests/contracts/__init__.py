"""The contract suites: tests that every adapter of a port passes.

Tests here use only the port. What one adapter alone guarantees belongs in the tests of its package.
"""
