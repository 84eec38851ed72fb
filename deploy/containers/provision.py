"""`python -m deploy.containers.provision`: once before the fleet, and again at each upgrade.

Makes roles and schemas, brings every schema up to date, and lays the keys out so
that each service can be given its own folder and no other:

    <root>/public/       what everybody may read: public keys, the log's verifier key
    <root>/<service>/    what only that service may read: its keys, its roles' passwords
    <root>/nats/         what only NATS may read: its users
"""

import asyncio
import json
import secrets
import shutil
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from chenu_witness.server import DEFAULT_NAME, open_cosigner
from deploy.local.secret_file import write_secret
from deploy.nats.users import user
from deploy.postgres.first_use import hand_over
from deploy.postgres.roles import LOGINS, SERVICES, database_url, provision_database
from kernel.migration import upgrade
from services.audit.keys import open_log_keys
from services.audit.settings import LogSettings
from services.identity.service_keys import make_service_key

FLEET: Final = (*SERVICES, "gateway")


class KeysSettings(BaseSettings):
    """`CHENU_PROVISION_…`: where the keys are."""

    model_config = SettingsConfigDict(env_prefix="CHENU_PROVISION_", frozen=True)

    keys_root: Path = Path("/keys")
    """The volume that holds the keys."""


class ProvisionSettings(KeysSettings):
    """The only credentials that may make roles, used here and nowhere else."""

    admin_url: SecretStr
    """The superuser's URL of the PostgreSQL server."""


def main() -> None:
    """Do it all; doing it again changes nothing that stands."""
    settings = ProvisionSettings()
    asyncio.run(_database(settings))
    make_keys(settings.keys_root)
    print("provisioned", flush=True)


async def _database(settings: ProvisionSettings) -> None:
    admin, root = settings.admin_url.get_secret_value(), settings.keys_root
    passwords = {login: secrets.token_urlsafe(24) for login in LOGINS}
    for service in SERVICES:
        hand_over(root / service, service, database_url(admin), passwords)
    await provision_database(admin, passwords)
    for service in SERVICES:
        await upgrade(service, database_url(admin))


def make_keys(root: Path) -> None:
    """Make the keys that are missing, each where it belongs."""
    public = root / "public"
    public.mkdir(parents=True, exist_ok=True)
    users = []
    for service in FLEET:
        own = root / service
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        users.append(user(service, make_service_key(own, service)))
        shutil.copy(own / f"{service}.pub.pem", public)
    nats = root / "nats"
    nats.mkdir(mode=0o700, exist_ok=True)
    write_secret(nats / "users.conf", json.dumps({"users": users}, indent=2))
    # Identity reads the others' public keys beside its own token keys.
    for key in public.glob("*.pub.pem"):
        shutil.copy(key, root / "identity")
    open_log_keys(root / "audit" / "log.pem", public / "log.vkey", LogSettings().origin)
    witness = open_cosigner(root / "witness", DEFAULT_NAME).verifier_key
    (public / "witness.vkey").write_text(f"{witness}\n")


if __name__ == "__main__":
    main()
