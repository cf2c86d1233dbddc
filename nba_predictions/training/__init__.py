"""Trained models: made when they are missing, kept, and found again by what they were made from."""
