"""What a local stack needs before its services start: keys, roles, schemas, their environment."""

import asyncio
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chenu_witness.server import DEFAULT_NAME, open_cosigner
from deploy.local.backends import Backends
from deploy.local.choices import ANTHROPIC_KEY, Choices
from deploy.local.errors import BackendError
from deploy.local.ports import Ports
from deploy.local.secret_file import write_secret
from deploy.local.server import HOST
from deploy.nats.users import user
from deploy.postgres.roles import LOGINS, SERVICES, database_url, provision_database
from kernel.migration import upgrade
from services.audit.keys import open_log_keys
from services.audit.settings import AuditSettings
from services.identity.service_keys import make_service_key

ANTHROPIC: Final = "https://api.anthropic.com"
TILES: Final = "log"


class KeyMissing(BackendError):
    """Claude was asked for, and there is no key to ask with."""

    def __init__(self) -> None:
        super().__init__(
            f"--live needs a key for Claude: set {ANTHROPIC_KEY}, or leave --live out to use the"
            " model simulator."
        )


def provision(state: Path, backends: Backends, ports: Ports, choices: Choices) -> dict[str, str]:
    """Make what is missing and bring every schema up to date; returns the fleet's environment."""
    keys = state / "keys"
    for folder in (keys, state / TILES):  # the log holds the records of every tenant
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = {service: make_service_key(keys, service) for service in ports.services}
    backends.nats.admit([user(service, key) for service, key in own.items()])
    origin = AuditSettings.model_fields["origin"].default  # not from the shell's environment
    log_key = open_log_keys(keys / "log.pem", keys / "log.vkey", origin)
    pin = state / "log.vkey"
    if not pin.exists():  # what a verifier trusts is written down once, when the log begins
        pin.write_text(f"{log_key[0].verifier_key}\n")
    _pin_witness(state, keys, pin)
    passwords = _passwords(state / "passwords.json")
    asyncio.run(_schemas(backends.postgres.admin_url, passwords))
    environment = _environment(keys, backends, ports, choices, passwords)
    write_secret(state / "environment.json", json.dumps(environment, indent=2) + "\n")
    return environment


def _pin_witness(state: Path, keys: Path, pin: Path) -> None:
    """Its key is known to audit, and pinned for verifiers, before it has signed anything."""
    known = keys / "witness.vkey"
    if not known.exists():
        witness = open_cosigner(state / "witness", DEFAULT_NAME).verifier_key
        with pin.open("a") as pinned:
            pinned.write(f"{witness}\n")
        known.write_text(f"{witness}\n")


def _passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        made = {login: secrets.token_urlsafe(24) for login in LOGINS}
        write_secret(path, json.dumps(made, indent=2))
    passwords: dict[str, str] = json.loads(path.read_text())
    return passwords


async def _schemas(admin_url: str, passwords: Mapping[str, str]) -> None:
    await provision_database(admin_url, passwords)
    for service in SERVICES:
        await upgrade(service, database_url(admin_url))


def _environment(
    keys: Path, backends: Backends, ports: Ports, choices: Choices, passwords: Mapping[str, str]
) -> dict[str, str]:
    # Made from nothing: what the shell holds must not choose a model, a host or a key.
    gateway = f"http://{HOST}:{ports.services['gateway']}"
    environment = {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PYTHONSAFEPATH": "1",
        "CHENU_ENVIRONMENT": "development",
        "CHENU_KEYS_DIR": str(keys.absolute()),
        "CHENU_NATS_URL": backends.nats.address,
        # Nobody balances load here: a stopping service need not wait until others have noticed.
        "CHENU_DRAIN_SECONDS": "0",
        "CHENU_GRACE_SECONDS": "3",
        "CHENU_COURIER_ALLOWED_PRIVATE": ",".join(choices.allow_private),
        "CHENU_GOVERNANCE_REVIEW_URI": f"{gateway}/api/v2/checkpoints/{{checkpoint_id}}",
        "CHENU_COURIER_DECIDE_URI": f"{gateway}/decide?ballot={{ballot}}",
        **_model(ports, choices),
    }
    for service, port in ports.services.items():
        name = f"CHENU_{service.upper()}"
        environment[f"{name}_ADDRESS"] = environment[f"{name}_LISTEN"] = f"{HOST}:{port}"
    environment["CHENU_AUDIT_TILES_DIR"] = str((keys.parent / TILES).absolute())
    if ports.witness:
        environment["CHENU_AUDIT_WITNESS_URLS"] = f"http://{HOST}:{ports.witness}"
    for service in SERVICES:
        for login, variable in (("app", "DATABASE_URL"), ("worker", "WORKER_DATABASE_URL")):
            role = f"{service}_{login}"
            url = backends.postgres.url(role, passwords[role])
            environment[f"CHENU_{service.upper()}_{variable}"] = url
    return environment | dict(choices.settings)


def _model(ports: Ports, choices: Choices) -> dict[str, str]:
    if choices.live:
        return {
            "CHENU_LLM_ANTHROPIC_URL": ANTHROPIC,
            "CHENU_LLM_ANTHROPIC_API_KEY": os.environ[ANTHROPIC_KEY],
        }
    host = f"{HOST}:{ports.simulator}"
    return {
        "CHENU_LLM_ANTHROPIC_URL": f"http://{host}",
        "CHENU_LLM_SIMULATOR_HOST": host,
        "CHENU_LLM_ANTHROPIC_API_KEY": "simulator",
    }
