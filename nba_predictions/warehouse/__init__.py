"""The port for staging tables and target tables, and its adapters: DuckDB and BigQuery.

Code here executes statements. Their text belongs in `sql/`, the schemas in `domain/tables.py`.
"""
