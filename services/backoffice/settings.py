"""What backoffice is told by its environment."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.runtime.actors import read_key
from shared.runtime.settings import ProcessSettings


class BackofficeSettings(ProcessSettings):
    """The settings of backoffice; each is an environment variable with the prefix `BACKOFFICE_`."""

    model_config = SettingsConfigDict(env_prefix="BACKOFFICE_")

    actor_key: SecretStr = Field(description="what signs who sits in front of it: `ops people new-key` makes one")
    orders_url: str
    notifications_url: str
    documents_url: str
    integrations_url: str
    call_timeout: float = Field(default=5.0, gt=0, le=60, description="seconds that another service may take")
    https: bool = Field(default=True, description="whether people come by https; without it on one's own machine alone")
    proxies: int = Field(
        default=0, ge=0, le=10, description="how many proxies stand before it, each adding to X-Forwarded-For"
    )
    idle_hours: float = Field(default=12.0, gt=0, le=720, description="after which an unused session is over")
    session_hours: float = Field(default=24 * 7.0, gt=0, le=8760, description="after which any session is over")
    guesses_per_account: int = Field(default=10, ge=1, le=1000, description="wrong passwords in a quarter of an hour")
    guesses_per_address: int = Field(default=50, ge=1, le=100_000, description="the same, from one network address")

    @field_validator("actor_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        read_key(value.get_secret_value())
        return value

    @field_validator("orders_url", "notifications_url", "documents_url", "integrations_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in {"http", "https"} or not url.netloc:
            raise ValueError("expected http://host:port")
        return value.rstrip("/")
