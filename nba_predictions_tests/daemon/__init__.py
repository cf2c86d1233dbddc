"""Tests under the real daemon, run queue and code server, whose processes are killed."""
