"""What orders is told by its environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """The settings of orders; each is an environment variable with the prefix `ORDERS_`."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    outbox_age_limit: float = Field(default=600.0, gt=0, description="seconds; above it HTTP accepts nothing more")
    live_streams: int = Field(default=1_000, ge=0, description="clients of a process that listen for changes")
    live_streams_of_a_shop: int = Field(default=100, ge=0, description="those of them that are one shop's")
