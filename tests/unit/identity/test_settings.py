"""The settings: what is refused, and that the README tells them all."""

import re
from pathlib import Path

import pytest

from kernel.settings import ServiceSettings, SettingsError, load
from services.identity import settings
from services.identity.settings import IdentitySettings


@pytest.fixture(autouse=True)
def urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENU_IDENTITY_DATABASE_URL", "unused")
    monkeypatch.setenv("CHENU_IDENTITY_WORKER_DATABASE_URL", "unused")


def test_keys_must_outlive_every_delegation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENU_IDENTITY_DELEGATION_HOURS", "72")
    with pytest.raises(SettingsError, match="KEY_OVERLAP_HOURS must be longer"):
        load(IdentitySettings)
    monkeypatch.setenv("CHENU_IDENTITY_KEY_OVERLAP_HOURS", "73")
    (loaded,) = load(IdentitySettings)
    assert loaded.delegation_deadline.total_seconds() == 72.25 * 3600


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENU_IDENTITY_ACCESS_SECONDS", "0")
    monkeypatch.setenv("CHENU_IDENTITY_REFRESH_DAYS", "soon")
    monkeypatch.delenv("CHENU_IDENTITY_DATABASE_URL")
    with pytest.raises(SettingsError) as caught:
        load(IdentitySettings)
    assert "CHENU_IDENTITY_ACCESS_SECONDS" in str(caught.value)
    assert "CHENU_IDENTITY_REFRESH_DAYS" in str(caught.value)
    assert "CHENU_IDENTITY_DATABASE_URL" in str(caught.value)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    readme = (Path(settings.__file__).parent / "README.md").read_text()
    rows = re.findall(r"^\| `CHENU_IDENTITY_([A-Z0-9_]+)` \| ([^|]*) \|", readme, re.MULTILINE)
    told = {name.lower(): default.strip().strip("`") for name, default in rows}
    own = {
        name: str(field.default)
        for name, field in IdentitySettings.model_fields.items()
        if name not in ServiceSettings.model_fields or name == "listen"
    }
    assert told == own
