"""Settings of the threads service: `CHENU_THREADS_…`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings


class ThreadsSettings(ServiceSettings):
    """How threads are served."""

    model_config = SettingsConfigDict(env_prefix="CHENU_THREADS_", frozen=True)

    listen: str = "127.0.0.1:50051"
    watch_seconds: float = Field(300, gt=0)
    """A Watch stream ends after this time; the client resumes."""
    heartbeat_seconds: float = Field(15, gt=0)
    """A Watch stream says at least this often that it is alive."""
