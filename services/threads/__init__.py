"""Threads: conversations and pieces of work, their history, and the tools that act on them."""
