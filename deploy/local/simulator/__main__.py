"""`python -m deploy.local.simulator`: serve until stopped."""

import asyncio
import signal
from typing import Annotated

import typer
import uvloop

from deploy.local.simulator.server import serving


def main(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    latency_ms: Annotated[int, typer.Option(min=0, help="Wait before each answer.")] = 0,
) -> None:
    """Serve a simulator of Anthropic's Messages API; it is no model."""
    uvloop.run(_serve(host, port, latency_ms / 1000))


async def _serve(host: str, port: int, latency: float) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serving(host, port, latency) as url:
        print(f"model simulator (no model) on {url}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    typer.run(main)
