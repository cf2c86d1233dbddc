"""Tests of the image, the Dagster instance and the manifests in `deploy/`.

They start real servers and processes. They do not test predictions.
"""
