"""Requests in, one use case, answers out: one servicer for each service of the contract."""
