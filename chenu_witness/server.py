"""The witness over HTTP: `add-checkpoint` (C2SP tlog-witness), and what it keeps, to be read."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chenu_witness.state import State
from chenu_witness.witness import Cosigner, Witness
from kernel.receipts import VerifierKey

DEFAULT_NAME: Final = "witness.chenu.local/w1"
MAXIMUM_BODY: Final = 64 << 10


def open_cosigner(folder: Path, name: str) -> Cosigner:
    """The witness's key, made on first use; `witness.vkey` is what others pin."""
    cosigner = Cosigner(name, _private_key(folder / "witness.pem"))
    (folder / "witness.vkey").write_text(f"{cosigner.verifier_key}\n")
    return cosigner


def open_state(folder: Path) -> State:
    """What it has seen; made on first use."""
    return State(folder / "witness.sqlite3")


def _private_key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with open(path, "xb", opener=partial(os.open, mode=0o600)) as file:
            file.write(pem)
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key


def log_keys(path: Path) -> Callable[[], Sequence[VerifierKey]]:
    """Reads the logs' verifier keys, one a line, whenever they are asked for."""

    def read() -> Sequence[VerifierKey]:
        lines = path.read_text().splitlines()
        return [VerifierKey.parse(line) for line in lines if line.strip()]

    return read


def application(cosigner: Cosigner, state: State, witness: Witness) -> Starlette:
    """The ASGI application; one event loop and short answers, so one request at a time."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAXIMUM_BODY:
                return PlainTextResponse("too large\n", 413)
        try:
            answer = witness.add_checkpoint(body.decode())
        except UnicodeDecodeError:
            return PlainTextResponse("not UTF-8\n", 400)
        return Response(answer.body, answer.status, media_type=answer.media_type)

    async def key(_: Request) -> Response:
        return PlainTextResponse(f"{cosigner.verifier_key}\n")

    async def evidence(_: Request) -> Response:
        return JSONResponse(state.evidence())

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/key", key),
            Route("/evidence", evidence),
        ]
    )


def serve(folder: Path, logs: Path, listen: str, name: str = DEFAULT_NAME) -> None:
    """Serve until SIGTERM or SIGINT."""
    cosigner, state = open_cosigner(folder, name), open_state(folder)
    witness = Witness(cosigner, state, log_keys(logs))
    host, _, port = listen.rpartition(":")
    try:
        uvicorn.run(
            application(cosigner, state, witness),
            host=host,
            port=int(port),
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    finally:
        state.close()
