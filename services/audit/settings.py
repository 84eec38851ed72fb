"""Settings of the audit service: `CHENU_AUDIT_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from kernel.settings import ServiceSettings


class LogSettings(BaseSettings):
    """What whoever makes the log's key must know too, who has no database."""

    model_config = SettingsConfigDict(env_prefix="CHENU_AUDIT_", frozen=True)

    origin: str = Field("audit.chenu.local/log", pattern=r"^[^\s+]+$")
    """The log's name in its tree heads: an address without scheme, never used twice."""


class AuditSettings(ServiceSettings, LogSettings):
    """How the log is kept."""

    model_config = SettingsConfigDict(env_prefix="CHENU_AUDIT_", frozen=True)

    listen: str = "127.0.0.1:50053"
    log_key: Path | None = None
    """The private key that signs tree heads; default `<keys_dir>/log.pem`."""
    receipt_seconds: float = Field(2, gt=0)
    """How often sources are told how far the log covers their bundles."""
    tiles_dir: Path | None = None
    """A folder that is kept up with the log, as files (C2SP tlog-tiles); none where not set."""
    tiles_seconds: float = Field(2, gt=0)
    """How often."""
    witness_urls: str = ""
    """Witnesses that are asked to cosign tree heads (C2SP tlog-witness), with commas between."""
    witness_key_file: Path | None = None
    """Their verifier keys, one a line; default `<keys_dir>/witness.vkey`."""
    witness_seconds: float = Field(1, gt=0)
    """How often they are asked."""
    watch_seconds: float = Field(2, gt=0)
    """How often the log is looked at for holes, changes and violations."""
    stream_seconds: float = Field(300, gt=0)
    """How long one stream of entries lives; clients resume with its last cursor."""
    heartbeat_seconds: float = Field(15, gt=0)
    """How often a stream says that there is nothing new."""
    retention_days: int = Field(0, ge=0)
    """How long records are kept; 0 means for ever. Older ones are taken off the log's beginning."""
    erasure_seconds: float = Field(10, gt=0)
    """An erasure that some service did not answer is gone on with after so long, until all have."""
    silent_seconds: float = Field(30, gt=10)
    """A source that was not heard of for so long raises an alert."""
    system_auditors: str = Field("", pattern=r"^[0-9a-f-]*([, ]+[0-9a-f-]+)*$")
    """People, by id and with commas between, who may read the records of every tenant as tiles,
    and those of none, and close alerts that do not mend themselves."""
