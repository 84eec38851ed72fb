"""Governance: what may run, what a person must decide, and the signed right to do it once."""
