"""The landing zone of live sources, and the source that reads it."""
