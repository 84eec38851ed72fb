"""Settings: what the environment says, and all that is wrong with it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import SettingsConfigDict

from kernel import service
from kernel.settings import ServiceSettings, SettingsError, SharedSettings, load


class NotesSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CHENU_NOTES_", frozen=True)

    color: str


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENU_NOTES_COLOR", "red")
    monkeypatch.setenv("CHENU_NOTES_DATABASE_URL", "postgresql://app@/x")
    monkeypatch.setenv("CHENU_NOTES_WORKER_DATABASE_URL", "postgresql://worker@/x")
    monkeypatch.setenv("CHENU_THREADS_ADDRESS", "threads.example:1")
    shared, notes = load(SharedSettings, NotesSettings)
    assert (notes.color, shared.address("threads")) == ("red", "threads.example:1")


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENU_TRACE_RATIO", "7")
    monkeypatch.setenv("CHENU_DRAIN_SECONDS", "inf")
    monkeypatch.setenv("CHENU_NOTES_POOL_SIZE", "many")
    monkeypatch.setenv("CHENU_NOTES_KEY_FILE", "/there/is/none")
    with pytest.raises(SettingsError) as error:
        load(SharedSettings, NotesSettings)
    lines = str(error.value).split("\n")
    assert sorted(line.split(":")[0] for line in lines) == [
        "CHENU_DRAIN_SECONDS", "CHENU_NOTES_COLOR", "CHENU_NOTES_DATABASE_URL",
        "CHENU_NOTES_KEY_FILE", "CHENU_NOTES_POOL_SIZE", "CHENU_NOTES_WORKER_DATABASE_URL",
        "CHENU_TRACE_RATIO",
    ]  # fmt: skip


@pytest.mark.parametrize("given", [("CA",), ("CERTIFICATE", "KEY"), ("CA", "KEY")])
def test_tls_in_part_is_a_problem_and_never_no_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: tuple[str, ...]
) -> None:
    (tmp_path / "file.pem").write_text("x")
    for name in given:
        monkeypatch.setenv(f"CHENU_TLS_{name}_FILE", str(tmp_path / "file.pem"))
    with pytest.raises(SettingsError, match="mutual TLS needs"):
        load(SharedSettings)


def test_a_secret_that_cannot_be_read_is_told_like_every_other_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHENU_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("CHENU_TRACE_RATIO", "7")
    (tmp_path / "chenu_notes_color").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"(?s)CHENU_TRACE_RATIO.*color.*decode"):
        load(SharedSettings, NotesSettings)


def test_a_wrong_setting_ends_the_process_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def assemble(_: Any) -> None: ...

    monkeypatch.setenv("CHENU_TRACE_RATIO", "seven")
    with pytest.raises(SystemExit, match="CHENU_TRACE_RATIO"):
        service.main(service.Program("notes", ServiceSettings, assemble))


def test_a_file_that_cannot_be_opened_ends_the_process_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def assemble(_: Any) -> None: ...

    monkeypatch.setenv("CHENU_NOTES_COLOR", "red")
    monkeypatch.setenv("CHENU_NOTES_DATABASE_URL", "postgresql://app@/x")
    monkeypatch.setenv("CHENU_NOTES_WORKER_DATABASE_URL", "postgresql://worker@/x")
    monkeypatch.setenv("CHENU_TRACE_FILE", str(tmp_path / "missing" / "spans"))
    with pytest.raises(SystemExit, match="missing/spans"):
        service.main(service.Program("notes", NotesSettings, assemble))
