"""What is done to the fleet while it works. Each ends with the same question: is anything lost?"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.local.backends import Backends
from deploy.local.choices import Choices
from deploy.local.ports import Ports
from deploy.local.postgres_server import find_binaries
from deploy.local.provision import provision
from deploy.local.simulator.server import serving
from deploy.postgres.roles import database_url
from tests.faults.conftest import QUICK
from tests.faults.forked import SERVICES
from tests.faults.stage import Stage
from tests.torture.disk import Disk, standing_still
from tests.torture.load import Load
from tests.torture.workplace import workplace

Facts = dict[str, int]


@asynccontextmanager
async def on_stage(state: Path, backends: Backends, **more: str) -> AsyncIterator[Stage]:
    """The whole fleet as processes, on these servers."""
    ports = Ports.free()
    choices = Choices(allow_private=["127.0.0.1/32"], settings=QUICK | more)
    environment = await asyncio.to_thread(provision, state, backends, ports, choices)
    async with (
        serving("127.0.0.1", ports.simulator),
        Stage(environment, state, backends) as stage,
    ):
        yield stage


@asynccontextmanager
async def on_a_disk(megabytes: int) -> AsyncIterator[tuple[Stage, Disk]]:
    """The fleet, its servers' data on a disk of its own."""
    with workplace() as folder:
        disk = Disk(folder, megabytes)
        try:
            backends = Backends(disk.mounted / "state")
            backends.start()
            try:
                # The broker refuses a stream that could outgrow its disk.
                small = {"CHENU_NATS_MAX_BYTES": str(64 << 20)}
                async with on_stage(folder, backends, **small) as stage:
                    yield stage, disk
            finally:
                backends.stop()
        finally:
            disk.close()


async def power_cuts(cuts: int, chance: random.Random) -> Facts:
    """Cut the power of PostgreSQL and NATS together, again and again, under load."""
    async with on_a_disk(1500) as (stage, disk):
        postgres, nats = stage.backends.postgres, stage.backends.nats
        load = Load(stage, await stage.register())
        async with load:
            for number in range(cuts):
                sys.stderr.write(f"power cut {number + 1} of {cuts}\n")
                await asyncio.sleep(chance.uniform(0.5, 2.5))
                pids = [pid for server in (postgres, nats) if (pid := server.pid()) is not None]
                # This loop does not run meanwhile: an answer that is under way is heard later.
                with standing_still(*pids):
                    disk.copy()
                postgres.kill()  # nothing of them is left but their exit status
                nats.kill()
                disk.cut_power()
                nats.start()
                postgres.start()
        return {"cuts": cuts, **await load.nothing_is_lost_or_doubled()}


async def disk_full(cuts: int, chance: random.Random) -> Facts:
    """Fill the disk until changes are refused, make room, and go on."""
    async with on_a_disk(500) as (stage, disk):
        postgres, nats = stage.backends.postgres, stage.backends.nats
        load = Load(stage, await stage.register())
        async with load:
            for _ in range(max(1, cuts // 10)):
                await asyncio.sleep(1)
                filler = disk.mounted / "filler"
                refused = load.refused
                _fill(filler)
                for _ in range(300):
                    if load.refused > refused + 8:
                        break
                    await asyncio.sleep(0.1)
                assert load.refused > refused, "a full disk refused nothing"
                filler.unlink()
                nats.kill()  # once it could not write, it may store nothing more until it is new
                nats.start()
                if not postgres.running():  # it gives up where its log cannot be written
                    postgres.start()
                before = len(load.acknowledged)
                for _ in range(600):
                    if len(load.acknowledged) > before + 8:
                        break
                    await asyncio.sleep(0.1)
                assert len(load.acknowledged) > before, "with room again nothing goes on"
        return {"refused": load.refused, **await load.nothing_is_lost_or_doubled()}


def _fill(file: Path) -> None:
    with file.open("wb") as filler:
        try:
            while True:
                filler.write(bytes(1 << 20))
                filler.flush()
        except OSError:
            return


async def kill_storm(cuts: int, chance: random.Random) -> Facts:
    """Kill services, PostgreSQL and NATS at random, under load; each event is published often."""
    with workplace() as folder:
        backends = Backends(folder)
        backends.start()
        try:
            often = {"CHENU_RELAY_REPUBLISH_SECONDS": "0.5"}
            async with on_stage(folder, backends, **often) as stage:
                load = Load(stage, await stage.register())
                async with load:
                    for _ in range(cuts * 2):
                        await _kill_one(stage, chance)
                facts = await load.nothing_is_lost_or_doubled()
        finally:
            backends.stop()
    return {"kills": cuts * 2, **facts}


async def _kill_one(stage: Stage, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.1, 1.0))
    victim = chance.choice([*SERVICES, "postgres", "nats", "nats wiped"])
    if victim == "postgres":
        stage.backends.postgres.kill()
        stage.backends.postgres.start()
    elif victim in SERVICES:
        await stage.restart(victim)
    else:
        stage.backends.nats.kill()
        if victim == "nats wiped":
            stage.backends.nats.wipe()
        stage.backends.nats.start()


async def restored_dump(cuts: int, chance: random.Random) -> Facts:
    """Dump everything, restore it into a new PostgreSQL, and go on there."""
    with workplace() as folder:
        backends = Backends(folder)
        backends.start()
        try:
            async with on_stage(folder, backends) as stage:
                me = await stage.register()
                load = Load(stage, me)
                async with load:
                    await asyncio.sleep(3)
                await stage.kill(*SERVICES)
                before = await _generations(backends)
                _move_to_another_cluster(backends, folder)
                await stage.start(*SERVICES)
                after = Load(stage, me)
                after.acknowledged = load.acknowledged
                async with after:
                    await asyncio.sleep(3)
                facts = await after.nothing_is_lost_or_doubled()
                generations = await _generations(backends)
        finally:
            backends.stop()
    assert all(generations[one] > before[one] for one in SERVICES), (before, generations)
    return facts


def _move_to_another_cluster(backends: Backends, folder: Path) -> None:
    """Everything of a PostgreSQL, as a dump, in a new one on the same port."""
    binaries, url = find_binaries(), backends.postgres.admin_url
    # pg_dumpall does not hand the password in its URL on to pg_dump.
    password = os.environ | {"PGPASSWORD": urlsplit(url).password or ""}
    dumped = subprocess.run(
        [binaries / "pg_dumpall", "-d", url], check=True, capture_output=True, env=password
    ).stdout
    # The superuser of the new one has a password of its own.
    kept = [line for line in dumped.split(b"\n") if b" ROLE postgres" not in line]
    backends.postgres.stop()
    backends.postgres.folder.rename(folder / "old")
    backends.postgres.start()
    restore = [str(binaries / "psql"), "-q", "-X", "-d", backends.postgres.admin_url]
    subprocess.run(restore, input=b"\n".join(kept), check=True, capture_output=True)


async def _generations(backends: Backends) -> dict[str, int]:
    connection = await asyncpg.connect(database_url(backends.postgres.admin_url))
    found = {
        service: await connection.fetchval(f"SELECT generation FROM {service}.relay_state")
        for service in SERVICES
    }
    await connection.close()
    return found


SCENARIOS = {
    "power-cuts": (power_cuts, True),
    "disk-full": (disk_full, True),
    "kill-storm": (kill_storm, False),
    "restored-dump": (restored_dump, False),
}
"""By name: what is done, and whether it needs a disk of its own."""
