"""Placeholder."""

import typer


def register_commands(app: typer.Typer) -> None:
    """Nothing yet."""
