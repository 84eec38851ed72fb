"""Requests in, one use case, responses out."""
