"""Predict past dates in order, and evaluate what each system would have predicted.

Code here predicts with the functions of a nightly run and writes reports. It does not define
systems or features, and it does not write to the warehouse.
"""
