"""What the identity service is told by its environment, each with its meaning."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """`CHENU_IDENTITY_…`."""

    model_config = SettingsConfigDict(env_prefix="CHENU_IDENTITY_", frozen=True)

    listen: str = "127.0.0.1:50050"

    access_seconds: int = Field(1_800, gt=0)
    """Life of an access token."""
    refresh_days: float = Field(7, gt=0)
    """Life of a refresh token; a session that is not refreshed ends with it."""
    session_days: float = Field(30, gt=0)
    """A session ends after this time, however often it is refreshed."""
    vote_seconds: int = Field(60, gt=0, le=300)
    """Life of a vote token."""
    channel_grant_days: float = Field(7, gt=0, le=30)
    """How long a channel may be decided from before it is allowed again; its session may end
    sooner."""
    channel_grant_ballots: int = Field(500, ge=1)
    """How many ballots one such grant is good for."""
    ballot_hours: float = Field(24, gt=0, le=168)
    """Life of a ballot; its checkpoint may end sooner."""
    ticket_seconds: int = Field(30, gt=0, le=300)
    """Life of a ticket for a stream of events, until it is used."""
    delegation_seconds: int = Field(900, gt=0)
    """Life of a delegation; Nova renews it."""
    delegation_hours: float = Field(48, gt=0)
    """How long after its last second a first delegation may still be renewed."""
    service_token_seconds: int = Field(600, gt=0)
    """Life of a service token."""
    key_lead_seconds: int = Field(120, ge=0)
    """How long a new token key is published before it signs; services read the keys each minute."""
    key_overlap_hours: float = Field(49, gt=0)
    """How long a retired token key still verifies; longer than any delegation is renewed."""

    argon2_time_cost: int = Field(3, gt=0)
    argon2_memory_kib: int = Field(65_536, ge=8)
    argon2_parallelism: int = Field(4, gt=0)
    hashing_threads: int = Field(2, gt=0)
    """Passwords hashed at once; each takes the memory above."""

    attempts_minutes: float = Field(15, gt=0)
    """Window in which attempts are counted."""
    attempts_per_account: int = Field(20, gt=0)
    """Failed log-ins for one e-mail in a window."""
    attempts_per_address: int = Field(100, gt=0)
    """Failed log-ins, and wrong agents' secrets, from one address in a window."""
    registrations_per_address: int = Field(100, gt=0)
    """Registrations from one address in a window."""

    sweep_seconds: float = Field(60, gt=0)
    """How often rows that can no longer matter are deleted."""
    clock_offset_seconds: float = 0
    """Tests only: how far the clock of sessions, deadlines and windows is ahead."""

    @property
    def delegation_deadline(self) -> timedelta:
        """From issue to deadline: a run may be accepted in the token's last second."""
        return timedelta(hours=self.delegation_hours, seconds=self.delegation_seconds)

    @property
    def clock_offset(self) -> timedelta:
        """Added to the database's clock."""
        return timedelta(seconds=self.clock_offset_seconds)

    @model_validator(mode="after")
    def _keys_outlive_delegations(self) -> Self:
        if timedelta(hours=self.key_overlap_hours) < self.delegation_deadline:
            raise ValueError(
                "CHENU_IDENTITY_KEY_OVERLAP_HOURS must be longer than a delegation is renewed"
            )
        return self
