"""The asset checks: gates of the inputs, and checks of a batch.

A check reports a conclusion with its numbers. The rule behind it belongs in `domain/`.
"""
