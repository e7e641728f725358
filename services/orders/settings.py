"""What orders is told by its environment."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from services.orders.keyring import Keyring
from shared.runtime.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """The settings of orders; each is an environment variable with the prefix `ORDERS_`."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")

    sealing_keys: SecretStr | None = Field(
        default=None,
        description="name:key with commas between them, the newest first: what personal identity numbers are sealed "
        "with; each key is url-safe base64 of 32 bytes",
    )
    outbox_age_limit: float = Field(default=600.0, gt=0, description="seconds; above it HTTP accepts nothing more")

    @property
    def keyring(self) -> Keyring | None:
        """The keys for personal identity numbers; without any none is kept."""
        return Keyring.from_setting(self.sealing_keys)

    @field_validator("sealing_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        Keyring.from_setting(value)
        return value
