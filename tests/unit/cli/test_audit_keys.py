"""`chenu audit rotate-key` on a folder whose key is none."""

from collections.abc import Callable
from pathlib import Path

from typer.testing import Result


def test_a_damaged_log_key_is_told_by_its_name(chenu: Callable[..., Result], state: Path) -> None:
    (state / "keys").mkdir()
    (state / "keys" / "log.pem").write_text("garbage")
    refused = chenu("audit", "rotate-key")
    assert refused.exit_code == 1
    assert "log.pem holds no Ed25519 key" in refused.stderr
