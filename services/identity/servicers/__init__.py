"""Requests in, one use case, answers out: the only files that know gRPC's side of it."""
