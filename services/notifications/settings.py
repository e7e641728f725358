"""What notifications is told by its environment."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import ServiceSettings

ADDRESS = r"^(?:[!#$%&'*+/=?^_`{|}~A-Za-z0-9.-]{1,64}@[A-Za-z0-9.-]{1,255})?$"
HOST_NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$"


class NotificationsSettings(ServiceSettings):
    """The settings of notifications; each is an environment variable with the prefix `NOTIFICATIONS_`."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")

    smtp_host: str = Field(default="127.0.0.1", min_length=1)
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_starttls: bool = Field(default=False, description="a server that does not offer STARTTLS is not used")
    smtp_tls: bool = Field(default=False, description="TLS from the start, as on port 465")
    smtp_connections: int = Field(default=10, ge=1, le=200, description="mails handed in at the same time")
    sender_domain: str = Field(pattern=HOST_NAME, description="the domain of Message-IDs and of EHLO")
    sender_address: str = Field(
        default="", pattern=ADDRESS, description="mail comes from it; empty: from the shop's own address"
    )
    mail_timeout: float = Field(default=60.0, gt=0, le=600, description="seconds that one mail may take in all")
    render_timeout: float = Field(default=10.0, gt=0, le=120, description="seconds that one letter may take")

    promised_within: int = Field(
        default=300, ge=1, le=30 * 86400, description="seconds after which a mail that has no outcome is overdue"
    )

    @model_validator(mode="after")
    def _one_way_of_tls(self) -> Self:
        if self.smtp_starttls and self.smtp_tls:
            raise ValueError("either SMTP_STARTTLS or SMTP_TLS, not both")
        return self
