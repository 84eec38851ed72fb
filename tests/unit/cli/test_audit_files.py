"""Exporting into a file or a pipe, and what is named to be checked but cannot be read."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from chenu.audit.v1.export_service_pb2 import ExportEntriesResponse
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]
PIECE = ExportEntriesResponse(data=b'{"one":"record"}\n', exported_size=1, total_size=1)


@pytest.mark.parametrize("arguments", [(), ("-o", "json")])
def test_an_export_to_standard_output_is_the_export_and_nothing_else(
    chenu: Chenu, recording: Recording, arguments: tuple[str, ...]
) -> None:
    recording.answer("ExportEntries", PIECE)
    result = chenu("audit", "export", "--out", "-", *arguments)
    assert (result.exit_code, result.stdout) == (0, PIECE.data.decode())


def test_an_export_takes_the_place_of_an_earlier_one_once_it_is_whole(
    chenu: Chenu, recording: Recording, tmp_path: Path
) -> None:
    out = tmp_path / "exports" / "all.jsonl"
    out.parent.mkdir()
    out.write_text("earlier")
    recording.answer("ExportEntries", PIECE, OSError("cut off"))
    assert chenu("audit", "export", "--out", str(out)).exit_code == 1
    assert ([*out.parent.iterdir()], out.read_text()) == ([out], "earlier")
    recording.answer("ExportEntries", PIECE)
    result = chenu("audit", "export", "--out", str(out), "-o", "json")
    assert json.loads(result.stdout)["records"] == "1"
    assert ([*out.parent.iterdir()], out.read_bytes()) == ([out], PIECE.data)


@pytest.mark.parametrize(
    "target", ["http://[::1", "http://host:abc/", "http://a b/", "http://127.0.0.1:9/é", "nosuch"]
)
def test_what_cannot_be_read_is_nothing_that_can_be_checked(chenu: Chenu, target: str) -> None:
    result = chenu("audit", "verify", target, "-o", "json")
    assert result.exit_code == 2
    assert target in result.output


def test_a_file_that_cannot_be_read_from_its_beginning_again_is_said_to_be_none(
    chenu: Chenu, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, b"{}\n")
    try:
        result = chenu("audit", "verify", str(pipe))
    finally:
        os.close(writer)
    assert (result.exit_code, f"{pipe.name} cannot be read" in result.output) == (2, True)


@pytest.mark.parametrize("content", [None, b"\xff", b"no key\n"])
def test_keys_that_cannot_be_read_are_named(
    chenu: Chenu, tmp_path: Path, content: bytes | None
) -> None:
    key, file = tmp_path / "key", tmp_path / "file"
    file.write_text("{}")
    if content is not None:
        key.write_bytes(content)
    for command in ("audit", "evidence"):
        result = chenu(command, "verify", str(file), "--key", str(key), "-o", "json")
        assert (result.exit_code, "key" in result.output) == (2, True)


@pytest.mark.parametrize("keys", [[1], [{}], ["kid"]])
def test_a_set_of_keys_without_names_is_none(
    chenu: Chenu, tmp_path: Path, keys: list[object]
) -> None:
    jwks = tmp_path / "keys.json"
    jwks.write_text(json.dumps({"keys": keys}))
    result = chenu("evidence", "verify", str(jwks), "--jwks", str(jwks))
    assert result.exit_code == 2
    assert "holds no JWKS" in result.output


def test_an_export_goes_into_a_pipe_and_through_a_link_and_takes_the_place_of_neither(
    chenu: Chenu, recording: Recording, tmp_path: Path
) -> None:
    pipe, link, target = (tmp_path / name for name in ("pipe", "link", "target"))
    os.mkfifo(pipe)
    link.symlink_to(target)
    target.write_text("earlier")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for out in (pipe, link):
        recording.answer("ExportEntries", PIECE)
        assert chenu("audit", "export", "--out", str(out)).exit_code == 0
    assert (pipe.is_fifo(), os.read(reader, 100)) == (True, PIECE.data)
    assert (link.is_symlink(), target.read_bytes()) == (True, PIECE.data)
    os.close(reader)
