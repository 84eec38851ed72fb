"""Settings of the nova service: `CHENU_NOVA_…`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings


class NovaSettings(ServiceSettings):
    """How Nova works."""

    model_config = SettingsConfigDict(env_prefix="CHENU_NOVA_", frozen=True)

    listen: str = "127.0.0.1:50054"
    run_seconds: float = Field(172_800, gt=0)
    """A run ends at the latest this long after it was accepted."""
    patience_seconds: float = Field(300, ge=0)
    """How long a lane keeps asking a service that is not there."""
    lease_seconds: float = Field(10, gt=0)
    """A worker that has not renewed its lease for so long has lost its runs."""
    sweep_seconds: float = Field(2, gt=0)
    """How often lost wake-ups and lost workers are looked for."""
    max_rounds: int = Field(5, ge=1, le=5)
    """How often a run may plan again with the results."""
    model: str = ""
    """The Claude model to plan with; empty means the llm service's default."""
    max_tokens: int = Field(4000, ge=100, le=100_000)
    """How long an answer of the model may be."""
    watch_seconds: float = Field(300, gt=0)
    """A Watch stream ends after this time; the client resumes."""
