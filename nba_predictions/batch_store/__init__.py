"""The port for batches, completions, dead letters, ledgers and leases, and its adapters.

Code here reads and writes records atomically. It does not decide what a record means: those rules
are in `domain/batches/`.
"""
