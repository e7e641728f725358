"""What orders is told by its environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """The settings of orders; each is an environment variable with the prefix `ORDERS_`."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    outbox_age_limit: float = Field(default=600.0, gt=0, description="seconds; above it HTTP accepts nothing more")
