"""`chenu seed`: believable test data, made by the same doors as everything else."""

from cli.seed.command import register_commands

__all__ = ["register_commands"]
