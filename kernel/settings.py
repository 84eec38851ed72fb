"""Settings come from the environment, secrets from files too; all problems are told at once.

class ThreadsSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CHENU_THREADS_")
shared, settings = load(SharedSettings, ThreadsSettings)
"""

import os
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, FilePath, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

SERVICES: Final = (
    "identity", "threads", "governance", "audit", "nova", "llm", "spheres", "courier", "gateway",
)  # fmt: skip
SECRETS: Final = "CHENU_SECRETS_DIR"


class SettingsError(Exception):
    """What is wrong with the environment: one line for each variable."""


class SharedSettings(BaseSettings):
    """What all services are told alike: `CHENU_…`."""

    model_config = SettingsConfigDict(env_prefix="CHENU_", frozen=True, allow_inf_nan=False)

    environment: Literal["development", "test", "production"] = "development"
    nats_url: str = "nats://127.0.0.1:4222"
    """Without credentials in it, a service is the user of its name: deploy/nats/users.py."""
    nats_max_bytes: int = Field(1 << 30, gt=0)
    """Size of the stream of audit bundles; when full, it refuses."""
    keys_dir: Path = Path(".chenu/keys")
    """Public keys, and the private ones that `<SERVICE>_KEY_FILE` does not name."""
    log_key_file: Path | None = None
    """The audit log's verifier keys, one a line; default `<keys_dir>/log.vkey`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    log_peers: bool = False
    """Whether a call's line says from which address it came; addresses tell of people."""
    trace_ratio: float = Field(0.01, ge=0, le=1)
    otlp_endpoint: str = ""
    trace_file: Path | None = None
    """Where spans are written as JSON lines; `-` means standard error."""
    drain_seconds: float = Field(5.0, ge=0)
    """How long a stopping service says NOT_SERVING before it refuses calls."""
    grace_seconds: float = Field(20.0, ge=0)
    """How long calls in hand may then still take."""
    relay_republish_seconds: float = Field(30.0, gt=0)
    """A bundle without audit's receipt is published again after this time."""
    outbox_retention_seconds: float = Field(86_400.0, ge=0)
    """Released outbox rows are kept for one backup interval."""
    outbox_limit: int = Field(1_000_000, gt=0)
    """With more unreleased events than this, changes are refused (AUDIT_BACKLOG)."""
    tls_ca_file: FilePath | None = None
    """With the two below: mutual TLS between services."""
    tls_certificate_file: FilePath | None = None
    tls_key_file: FilePath | None = None

    identity_address: str = "localhost:50050"
    threads_address: str = "localhost:50051"
    governance_address: str = "localhost:50052"
    audit_address: str = "localhost:50053"
    nova_address: str = "localhost:50054"
    llm_address: str = "localhost:50055"
    spheres_address: str = "localhost:50056"
    courier_address: str = "localhost:50057"
    gateway_address: str = "localhost:8080"

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        files = self.tls_ca_file, self.tls_key_file, self.tls_certificate_file
        if any(files) and not all(files):  # or everything would be sent in the clear
            raise ValueError("mutual TLS needs TLS_CA_FILE, TLS_CERTIFICATE_FILE and TLS_KEY_FILE")
        return self

    def tls_files(self) -> tuple[bytes, bytes, bytes] | None:
        """What the three TLS files hold: authority, key, certificate; None without TLS."""
        paths = self.tls_ca_file, self.tls_key_file, self.tls_certificate_file
        authority, key, certificate = (path.read_bytes() if path else b"" for path in paths)
        return (authority, key, certificate) if self.tls_ca_file else None

    def address(self, service: str) -> str:
        """Where a service listens."""
        return str(getattr(self, f"{service}_address"))


class ServiceSettings(BaseSettings):
    """What one service is told: `CHENU_<SERVICE>_…`; a subclass sets the prefix."""

    model_config = SettingsConfigDict(frozen=True)

    listen: str = "127.0.0.1:50051"
    database_url: str = Field(min_length=1)
    """The role `<service>_app`."""
    worker_database_url: str = Field(min_length=1)
    """The role `<service>_worker`: relay, sweepers, consumers."""
    key_file: FilePath | None = None
    """The service's own Ed25519 key; default `<keys_dir>/<service>.pem`."""
    pool_size: int = Field(10, gt=0)
    metrics_listen: str = ""
    """`host:port` for Prometheus; not served when empty."""


def load(*classes: type[BaseSettings]) -> tuple[Any, ...]:
    """Read every class from the environment, or say everything that is wrong with it."""
    loaded, problems = [], []
    # Docker's way of handing over a secret: a file named like the variable, in this folder.
    files: Any = {"_secrets_dir": os.environ[SECRETS]} if SECRETS in os.environ else {}
    for settings_class in classes:
        try:
            loaded.append(settings_class(**files))
        except ValidationError as error:
            prefix = settings_class.model_config.get("env_prefix", "")
            problems += [
                f"{prefix}{'_'.join(map(str, e['loc']))}".upper() + f": {e['msg']}"
                for e in error.errors(include_input=False)
            ]
        except SourceError as error:  # a secret's file that may not be read
            problems.append(f"{settings_class.__name__}: {error}: {error.__cause__}")
    if problems:
        raise SettingsError("\n".join(problems))
    return tuple(loaded)
