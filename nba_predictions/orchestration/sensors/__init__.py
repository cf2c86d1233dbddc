"""The sensors: batches that wait or stall, nights that wait for inputs, and who is told."""
