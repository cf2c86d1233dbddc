"""What is wrong right now, and who is told of it: conditions, and the destinations of alerts."""
