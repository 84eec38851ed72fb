"""The nine services; each knows the others by their stubs only."""
