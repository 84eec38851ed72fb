"""Settings of the llm service: `CHENU_LLM_…`."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from kernel.settings import ServiceSettings


class LlmSettings(ServiceSettings):
    """Which models may answer, and where they are."""

    model_config = SettingsConfigDict(env_prefix="CHENU_LLM_", frozen=True)

    listen: str = "127.0.0.1:50055"
    anthropic_api_key: SecretStr = SecretStr("")
    """The key for Claude; only this service ever holds it."""
    anthropic_url: str = "https://api.anthropic.com"
    """Where Claude is dialled. Only `api.anthropic.com` and `simulator_host` are accepted."""
    simulator_host: str = ""
    """`host:port` of the local model simulator, which is then dialled over plain HTTP."""
    models: tuple[str, ...] = ("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5")
    """The Claude models that Nova may use; the first is the default."""
    timeout_seconds: float = Field(60, gt=0)
    """How long one answer of a provider may take."""
