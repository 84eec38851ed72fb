"""Keeps every audit event once, in a Merkle log that anyone can check."""
