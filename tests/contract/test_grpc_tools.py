"""A person with a command-line tool needs an address and a token, nothing else."""

import asyncio
import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleet import Client

BUF = Path(sysconfig.get_path("scripts")) / "buf"


async def buf_curl(address: str, method: str, request: Any, token: str) -> tuple[int, str]:
    """Exit code and output of `buf curl`, which asks the server's reflection for the contract."""
    process = await asyncio.create_subprocess_exec(
        *(BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge"),
        *("-H", f"authorization: Bearer {token}", "-d", json.dumps(request)),
        f"http://{address}/{method}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("identity", "chenu.identity.v1.AuthService/GetMe"),
        ("threads", "chenu.threads.v1.ThreadService/ListThreads"),
        ("governance", "chenu.governance.v1.CheckpointService/ListCheckpoints"),
        ("audit", "chenu.audit.v1.LogService/GetTreeHead"),
        ("llm", "chenu.llm.v1.LedgerService/ListLedgerEntries"),
        ("courier", "chenu.courier.v1.EndpointService/ListEndpoints"),
    ],
)
async def test_buf_curl_reads_from_each_service(me: Client, service: str, method: str) -> None:
    address = me.fleet.address(service)
    code, output = await buf_curl(address, method, {}, me.session.access_token)
    assert code == 0, output
    json.loads(output)


async def test_buf_curl_runs_a_request_through_nova_and_is_told_of_a_block(me: Client) -> None:
    token = (await me.nova())[0][1].removeprefix("Bearer ")
    address, method = me.fleet.address("nova"), "chenu.nova.v1.RunService/ExecuteRun"
    code, output = await buf_curl(address, method, {"text": "What is a thread?"}, token)
    assert code == 0, output
    assert json.loads(output)["run"]["state"] == "RUN_STATE_SUCCEEDED"
    await me.new_thread("By hand")
    code, output = await buf_curl(address, method, {"text": "Delete the thread “By hand”"}, token)
    assert code != 0
    error = json.loads(output)
    assert error["code"] == "failed_precondition"
    details = {detail["type"] for detail in error["details"]}
    assert {"google.rpc.ErrorInfo", "chenu.governance.v1.CheckpointBlock"} <= details
