"""Proxies between the real clients and a service: they count calls, and make them fail."""
