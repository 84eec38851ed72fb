"""Courier: places outside to which messages are sent, and what became of each message."""
