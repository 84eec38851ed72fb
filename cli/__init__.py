"""The `chenu` command."""
