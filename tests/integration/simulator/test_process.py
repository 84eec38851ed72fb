"""The simulator as a process of its own."""

import asyncio
import re
import signal
import sys

import httpx2

from tests.support.waiting import PATIENCE


async def test_it_serves_on_a_free_port_until_it_is_stopped() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local.simulator", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        assert "no model" in line
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found is not None
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"{found[0]}/health")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
