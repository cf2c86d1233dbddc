"""Walk forward through past dates, and say how good each system would have been."""
