"""Tests of the import of other formats into input files."""
