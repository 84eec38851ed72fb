"""A witness: it remembers how far a log had come, and signs only what continues from there.

A process of its own, with a key and a state of its own, that shares nothing with the fleet but
public keys: so that a log cannot tell two histories, or forget one, without somebody noticing.
"""
