"""Predict the points of every NBA player on the slate, every game day."""

__version__ = "0.1.0"
