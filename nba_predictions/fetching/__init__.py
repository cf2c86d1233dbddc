"""Fetch inputs from live services into the landing zone. No other code touches the network."""
