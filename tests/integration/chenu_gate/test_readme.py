"""The executor of the README, run as it stands there."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

import chenu_gate
from chenu.governance.v1.executor_service_pb2 import ExecuteActionRequest
from chenu.governance.v1.executor_service_pb2_grpc import (
    ExecutorServiceStub,
    add_ExecutorServiceServicer_to_server,
)
from chenu_gate.action import Action, ActionKind, Principal
from chenu_gate.executor import executions_table
from chenu_gate.permit import Permit, mint
from tests.integration.chenu_gate.conftest import DIALECT

README = Path(chenu_gate.__file__).with_name("README.md").read_text()
KEY = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(code, names)  # noqa: S102 - it is ours, and this is what the test is about
    return names


@pytest.fixture
async def notes(program: dict[str, Any], database: str) -> AsyncIterator[ExecutorServiceStub]:
    async def fetch_key_set() -> str:
        key = {**OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1"}
        return json.dumps({"keys": [key]})

    pool = await asyncpg.create_pool(database)
    table = executions_table(sa.MetaData(schema="notes"))
    await pool.execute("DROP SCHEMA IF EXISTS notes CASCADE")
    await pool.execute("CREATE SCHEMA notes CREATE TABLE notes (number serial, text text)")
    await pool.execute(str(sa.schema.CreateTable(table).compile(dialect=DIALECT)))
    server = grpc.aio.server()
    add_ExecutorServiceServicer_to_server(program["NotesExecutor"](pool, fetch_key_set), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield ExecutorServiceStub(channel)
    await server.stop(None)
    await pool.close()


def note_action(program: dict[str, Any], **arguments: Any) -> Action:
    return Action(
        kind=ActionKind.CREATE,
        tool=program["ADD_NOTE"].pinned,
        executor="notes",
        principal=Principal(*(str(uuid.uuid4()) for _ in range(3))),
        arguments=arguments,
    )


def request_for(action: Action, data: bytes | None = None) -> ExecuteActionRequest:
    permit = Permit.for_action(
        action,
        permit_id=str(uuid.uuid4()),
        decision=str(uuid.uuid5(uuid.NAMESPACE_OID, action.digest)),
        freeze_epoch=0,
        now=datetime.now(UTC),
    )
    return ExecuteActionRequest(action=data or action.canonical(), permit=mint(permit, KEY, "k1"))


async def test_it_does_what_was_permitted_and_does_it_once(
    program: dict[str, Any], notes: ExecutorServiceStub
) -> None:
    action = note_action(program, text="acheter du pain")

    first = await notes.ExecuteAction(request_for(action))
    again = await notes.ExecuteAction(request_for(action))

    assert json.loads(first.result) == {"number": 1}
    assert (first.repeated_answer, again.repeated_answer) == (False, True)
    assert (again.result, again.decision_id) == (first.result, first.decision_id)


async def test_it_does_nothing_else(program: dict[str, Any], notes: ExecutorServiceStub) -> None:
    action = note_action(program, text="acheter du pain")
    other = replace(action, arguments={"text": "vendre la maison"})
    wrong = note_action(program, text=7)

    for request, code, reason in (
        (request_for(action, other.canonical()), "PERMISSION_DENIED", "PERMIT_ACTION"),
        (request_for(wrong), "INVALID_ARGUMENT", "ARGUMENTS_INVALID"),
        (request_for(action, b"{}"), "INVALID_ARGUMENT", "ACTION_INVALID"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await notes.ExecuteAction(request)
        assert (failed.value.code().name, failed.value.details()) == (code, reason)


def test_it_names_every_module_that_a_reader_starts_from() -> None:
    table = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    modules = {path.stem for path in Path(chenu_gate.__file__).parent.glob("*.py")}
    inner = {"__init__", "canonical_json", "refusal", "execution_table", "sentences"}
    inner |= {"visible_text", "look_alikes"}

    assert table == modules - inner
