"""`chenu demo`: the whole story, played on a stack of its own."""

from cli.demo.command import register_commands

__all__ = ["register_commands"]
