"""The services: which request to send for what, and how to judge an answer."""
