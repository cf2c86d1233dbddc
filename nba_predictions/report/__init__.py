"""The report of a night: its numbers, and their rendering as text, tables, plots and a page.

Code here only reads. The audit that it shows belongs in `nightly/`.
"""
