"""The port for publishing messages, and its adapters: the SQLite outbox and Pub/Sub.

Code here hands over a message and returns its id. When a message is published belongs in
`nightly/`, what it contains in `domain/messages/`.
"""
