"""What governance is told: `CHENU_GOVERNANCE_…`."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from chenu.governance.v1.approval_pb2 import RiskClass
from kernel.caller import UUID
from kernel.settings import ServiceSettings

_REMOTE: Final = {
    "none": RiskClass.RISK_CLASS_UNSPECIFIED,
    "low": RiskClass.RISK_CLASS_LOW,
    "medium": RiskClass.RISK_CLASS_MEDIUM,
    "high": RiskClass.RISK_CLASS_HIGH,
}
_EXECUTOR: Final = re.compile(r"[a-z][a-z0-9_-]*=[^\s=]+:[0-9]+")


class GovernanceSettings(ServiceSettings):
    """The clocks of checkpoints, where the permit keys lie, where people review."""

    model_config = SettingsConfigDict(env_prefix="CHENU_GOVERNANCE_", frozen=True)

    listen: str = "127.0.0.1:50052"
    permit_keys_dir: Path | None = None
    """`current.pem` signs permits, every other `*.pem` is only published; default
    `<keys_dir>/permits`."""
    pending_minutes: int = Field(60, ge=5, le=1440)
    """How long a checkpoint waits for a person; then it is EXPIRED."""
    validity_minutes: int = Field(1440, ge=5)
    """How long an approval may wait for its execution; then it is EXPIRED."""
    permit_seconds: float = Field(10.0, ge=1, le=10)
    """How long a permit lives; a freeze is sure to be in force once the last one is over."""
    agent_asks_per_hour: int = Field(60, ge=1)
    """An agent that would put more questions before people in an hour is told to wait."""
    tombstone_minutes: float = Field(60.0, ge=0)
    """What is the like of a rejected action is not asked again for so long; 0 lets it be asked."""
    lift_delay_minutes: float = Field(10.0, ge=0)
    """How long a freeze is held at least after its lifting was asked for."""
    promotion_delay_minutes: int = Field(60, ge=0)
    """Where one person keeps a tenant's rules alone, rules that stop less hold only so long after
    they were asked for."""
    remote_risk_class: Literal["none", "low", "medium", "high"] = "low"
    """Up to this class a decision may come from a mail or a chat, where the rule names none."""
    retention_days: int = Field(90, ge=32)
    """What counters added up, what shadows said and notices that nobody took are kept so long; the
    longest window of a counter is 31 days."""
    review_uri: str = "http://localhost:8080/api/v2/checkpoints/{checkpoint_id}"
    """Where a person reviews a checkpoint; told to whoever is blocked."""
    operator_tenant: str = Field("", pattern=rf"^({UUID.pattern})?$")
    """The tenant whose people with the role `operator` may freeze everybody; empty: nobody may."""
    executors: str = ""
    """Executors besides threads and courier, by whose tools an edit is typed: `name=host:port`,
    separated by spaces. They are asked for their tools only, and are given no token."""
    sweep_seconds: float = Field(1.0, gt=0)
    """How often what is overdue is looked for."""
    watch_seconds: float = Field(300.0, gt=0)
    """A stream is ended after this time; clients resume with its last cursor."""
    heartbeat_seconds: float = Field(15.0, gt=0)
    """A stream is never silent for longer."""
    clock_offset_seconds: float = 0.0
    """Moves the clocks of checkpoints (for tests); permits go by the real time."""

    @field_validator("review_uri")
    @classmethod
    def _names_the_checkpoint(cls, uri: str) -> str:
        if "{checkpoint_id}" not in uri:
            raise ValueError("must contain {checkpoint_id}")
        return uri

    @property
    def remote(self) -> RiskClass:
        """Up to which class a decision may come from a mail or a chat."""
        return _REMOTE[self.remote_risk_class]

    @field_validator("executors")
    @classmethod
    def _names_addresses(cls, executors: str) -> str:
        for one in executors.split():
            if not _EXECUTOR.fullmatch(one):
                raise ValueError(f"{one} is not name=host:port")
        return executors

    @property
    def other_executors(self) -> dict[str, str]:
        """The addresses of `executors`, by name."""
        return dict(one.split("=", 1) for one in self.executors.split())

    @property
    def permit_life(self) -> timedelta:
        """How long a permit lives."""
        return timedelta(seconds=self.permit_seconds)

    @property
    def tombstone_life(self) -> timedelta:
        """How long a rejection holds against its like."""
        return timedelta(minutes=self.tombstone_minutes)

    @property
    def lift_delay(self) -> timedelta:
        """How long a lifting waits at least."""
        return timedelta(minutes=self.lift_delay_minutes)

    @property
    def pending(self) -> timedelta:
        """How long a checkpoint waits."""
        return timedelta(minutes=self.pending_minutes)

    @property
    def validity(self) -> timedelta:
        """How long an approval is good."""
        return timedelta(minutes=self.validity_minutes)

    @property
    def retention(self) -> timedelta:
        """How long what only serves for a while is kept."""
        return timedelta(days=self.retention_days)

    @property
    def promotion_delay(self) -> timedelta:
        """How long rules that stop less are held back where one person keeps them alone."""
        return timedelta(minutes=self.promotion_delay_minutes)
