"""The port for input data, and its adapters: files and the simulated league.

Code here turns raw tables into typed frames and sets invalid rows aside. It does not decide
whether the inputs are good enough: the gates are in `domain/policies/`.
"""
