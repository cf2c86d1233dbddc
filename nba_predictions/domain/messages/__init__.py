"""The messages that other systems read: the completion message and the dead letter.

Code here defines fields and their serialization. Sending a message belongs in `messaging/`.
"""
