"""What the one-shot of the containers does, on a real PostgreSQL and a folder for the volume."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.local.backends import running_backends
from kernel.settings import load
from services.threads.settings import ThreadsSettings


def provision(admin_url: str, root: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "deploy.containers.provision"],
        check=True,
        timeout=120,
        env={"CHENU_PROVISION_ADMIN_URL": admin_url, "CHENU_PROVISION_KEYS_ROOT": str(root)},
    )


async def test_each_service_gets_its_own_secrets_and_keys_and_a_second_time_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "keys"
    with running_backends(tmp_path / "state") as backends:
        for _ in range(2):
            provision(backends.postgres.admin_url, root)
        monkeypatch.setenv("CHENU_SECRETS_DIR", str(root / "threads"))
        (settings,) = load(ThreadsSettings)
        connection = await asyncpg.connect(settings.database_url)
        assert await connection.fetchval("SELECT current_user") == "threads_app"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM identity.users")
        await connection.close()
    assert {p.name for p in (root / "threads").iterdir()} == {
        "threads.pem",
        "threads.pub.pem",
        "chenu_threads_database_url",
        "chenu_threads_worker_database_url",
    }
    public = {p.name for p in (root / "public").iterdir()}
    assert "log.vkey" in public
    assert not [name for name in public if name.endswith(".pem") and ".pub." not in name]
