"""What integrations is told by its environment."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.messaging.sealing import Seal
from shared.runtime.settings import ServiceSettings


class IntegrationsSettings(ServiceSettings):
    """The settings of integrations; each is an environment variable with the prefix `INTEGRATIONS_`."""

    model_config = SettingsConfigDict(env_prefix="INTEGRATIONS_")

    call_timeout: float = Field(default=20.0, gt=0, le=120, description="seconds that one call may take in all")
    holds: float = Field(
        default=900.0,
        gt=0,
        le=86_400,
        description="seconds that an unknown is looked into before a person is asked",
    )

    unmatched_after: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="seconds that a payment may be there before its order and still have come with it",
    )

    @property
    def seal(self) -> Seal:
        """What the shops' secrets are sealed with."""
        seal = Seal.from_setting(self.sealing_keys)
        if seal is None:
            raise ValueError("there is no sealing key")
        return seal

    @model_validator(mode="after")
    def _secrets_are_sealed(self) -> Self:
        if self.sealing_keys is None:
            raise ValueError("INTEGRATIONS_SEALING_KEYS is not set: the shops' secrets are kept sealed")
        return self
