"""A stream that NATS would refuse for want of disk is told by `chenu up` and `chenu doctor`."""

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from deploy.local.choices import Choices
from deploy.local.errors import NoRoomForStream
from deploy.local.nats_server import NatsServer
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from kernel.messaging import Messaging
from kernel.settings import SharedSettings
from tests.support.running import connected

GIB = 1 << 30
Usage = namedtuple("Usage", "total used free")


def free(monkeypatch: pytest.MonkeyPatch, bytes_free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * GIB, 0, bytes_free))


def test_a_stack_is_not_begun_where_its_stream_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, GIB)
    said: list[str] = []
    with pytest.raises(NoRoomForStream, match=r"1024 MiB.*768 MiB.*CHENU_NATS_MAX_BYTES"):
        Stack(tmp_path / "s", Ports.free(), Choices(), said.append).start()
    assert said == []
    assert not (tmp_path / "s" / "postgres").exists()


def test_the_doctor_says_so_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bytes_free, good in ((GIB, False), (4 * GIB, True)):
        free(monkeypatch, bytes_free)
        answer = CliRunner().invoke(app, ["--state", str(tmp_path), "doctor", "-o", "json"])
        checks = {one["check"]: one for one in json.loads(answer.stdout)["checks"]}
        assert checks["NATS stream"]["good"] is good, answer.stdout
        assert ("CHENU_NATS_MAX_BYTES" in checks["NATS stream"]["next_step"]) is not good


async def test_the_place_of_the_stream_is_where_the_server_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = NatsServer(tmp_path / "nats", tmp_path / "nats.log")
    server.start()
    try:
        messaging = await Messaging.connect(server.url, max_bytes=1 << 20)
        await connected(messaging)
        await messaging.publish_bundle("threads", 1, 1, b"x")
        await messaging.close()
        free(monkeypatch, 0)
        server.check_room("AUDIT", SharedSettings.model_fields["nats_max_bytes"].default)
        with pytest.raises(NoRoomForStream):
            server.check_room("ANOTHER", 1)
    finally:
        server.stop()
