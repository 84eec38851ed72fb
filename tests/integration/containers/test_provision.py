"""What the one-shot of the containers does, on a real PostgreSQL and a folder for the volume."""

import asyncio
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import asyncpg
import pytest

from deploy.containers import provision as provisioning
from deploy.containers.provision import make_keys
from deploy.containers.rotate_log_key import main as rotate_log_key
from deploy.local.backends import running_backends
from kernel.receipts import TreeHead, open_tree_head, successors
from kernel.settings import load
from services.audit.keys import open_log_keys, read_keys, successions
from services.audit.note import sign_tree_head
from services.threads.settings import ThreadsSettings

ROOT = Path(__file__).parents[3]


def provision(admin_url: str, root: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "deploy.containers.provision"],
        check=True,
        timeout=120,
        env={"CHENU_PROVISION_ADMIN_URL": admin_url, "CHENU_PROVISION_KEYS_ROOT": str(root)},
    )


def take_settings(users: Path, folder: Path) -> None:
    """Have NATS read the settings of the containers, with these users."""
    shutil.copytree(users, folder / "users")
    shutil.copy(ROOT / "deploy/nats/nats.conf", folder)
    server = Path(sysconfig.get_path("scripts"), "nats-server")
    subprocess.run([server, "-t", "-c", folder / "nats.conf"], check=True, timeout=60)


async def test_each_service_gets_its_own_secrets_and_keys_and_a_second_time_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "keys"
    with running_backends(tmp_path / "state") as backends:
        provision(backends.postgres.admin_url, root)
        monkeypatch.setenv("CHENU_PROVISION_ADMIN_URL", backends.postgres.admin_url)
        monkeypatch.setenv("CHENU_PROVISION_KEYS_ROOT", str(root))
        await asyncio.to_thread(provisioning.main)  # runs a loop of its own
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
    assert {p.name for p in (root / "nats").iterdir()} == {"users.conf"}
    take_settings(root / "nats", tmp_path)
    public = {p.name for p in (root / "public").iterdir()}
    assert "log.vkey" in public
    assert not [name for name in public if name.endswith(".pem") and ".pub." not in name]


def test_the_key_of_the_log_is_changed_where_both_its_halves_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHENU_PROVISION_KEYS_ROOT", str(tmp_path))

    def rotate(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rotate_log_key", *words])
        rotate_log_key()
        return capsys.readouterr().out

    private, public = tmp_path / "audit" / "log.pem", tmp_path / "public" / "log.vkey"
    with pytest.raises(SystemExit, match="provision first"):
        rotate()
    make_keys(tmp_path)
    first, head = read_keys(public), TreeHead("audit.chenu.local/log", 3, bytes(32))
    rotate()
    signers = open_log_keys(private, public, head.origin)
    note = sign_tree_head(head, signers)
    assert len(signers) == 2
    assert open_tree_head(note, first) == head
    assert list(successors(first, successions(public))) == read_keys(public)
    assert "log.retiring" in rotate("--retire")
    assert len(open_log_keys(private, public, head.origin)) == 1
    assert {path.stat().st_uid for path in private.parent.iterdir()} == {private.stat().st_uid}
    with pytest.raises(SystemExit, match=r"^usage: "):
        rotate("--now")
