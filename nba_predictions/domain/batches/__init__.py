"""The rules of a batch: its states, its reconciliation, its verdict, its retention and its repair.

Code here decides from records that its callers pass. Reading and writing the records belongs in
`batch_store/` and `nightly/`.
"""
