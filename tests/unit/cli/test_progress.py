"""Whoever waits at a terminal for a long check sees how far it is; a program sees nothing of it."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.audit_verify import verify
from cli.here import Here, Output
from tests.unit.cli.test_verify_folder import Written

LEAVES = [b"leaf %d" % number for number in range(600)]


async def shown(tmp_path: Path, output: Output, *, terminal: bool) -> str:
    """What the check of a folder writes to standard error, before it says what came out."""
    written = Written(tmp_path / "log", LEAVES)
    here, told = Here(tmp_path / "state", output), io.StringIO()
    here.errors = Console(file=told, force_terminal=terminal, width=100)
    await verify(here, str(written.folder), str(written.key))
    return told.getvalue()


async def test_a_terminal_shows_how_many_of_the_records_are_checked(tmp_path: Path) -> None:
    assert f"{len(LEAVES)} of {len(LEAVES)}" in await shown(tmp_path, Output.TABLE, terminal=True)


@pytest.mark.parametrize(("output", "terminal"), [(Output.TABLE, False), (Output.JSON, True)])
async def test_a_program_is_not_told_how_far_it_is(
    tmp_path: Path, output: Output, terminal: bool
) -> None:
    assert await shown(tmp_path, output, terminal=terminal) == ""
