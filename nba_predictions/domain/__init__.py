"""The rules of the pipeline as pure functions and values, by subject.

Code here has no framework, no client and no file access. A rule that needs Dagster or a database to
be tested belongs in a higher layer.
"""
