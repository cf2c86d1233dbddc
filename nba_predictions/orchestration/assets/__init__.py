"""The assets, in one module per part of a nightly run.

An asset reads its inputs, calls one function of a lower layer and records metadata. Rules and
access to backends belong in lower layers.
"""
