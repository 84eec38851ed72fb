"""A service that exists for the kernel's tests: notes, which belong to an identity."""
