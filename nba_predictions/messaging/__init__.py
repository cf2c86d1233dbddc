"""The port for publishing messages, and its adapters: the SQLite outbox and Pub/Sub.

Code here sends a message and returns its id. `nightly/` decides when a message is published, and
`domain/messages/` defines its content.
"""
