"""A standby that takes over: what it lost of the old one's last writes must not pass unseen."""

from pathlib import Path

import asyncpg

from deploy.local.postgres_server import PostgresServer
from deploy.local.server import Command
from kernel.relay import _CLUSTER


class Standby(PostgresServer):
    """Follows nobody any more, and waits to be promoted."""

    def prepare(self) -> Command:
        command = super().prepare()
        (self._data / "standby.signal").touch()
        return command


async def test_a_promoted_standby_is_another_cluster_before_its_first_checkpoint(
    tmp_path: Path,
) -> None:
    standby = Standby(tmp_path / "postgres", tmp_path / "postgres.log")
    standby.start()
    try:
        connection = await asyncpg.connect(standby.admin_url)
        system = await connection.fetchval("SELECT system_identifier FROM pg_control_system()")
        assert await connection.fetchval("SELECT pg_promote()")
        assert await connection.fetchval(_CLUSTER) == f"{system}/2"
        await connection.close()
    finally:
        standby.stop()
