"""A stand-in for Claude that speaks the Messages API and plans from words; no model at all."""
