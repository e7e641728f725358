"""What documents is told by its environment."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.messaging.sealing import Seal
from shared.runtime.settings import ServiceSettings


class DocumentsSettings(ServiceSettings):
    """The settings of documents; each is an environment variable with the prefix `DOCUMENTS_`."""

    model_config = SettingsConfigDict(env_prefix="DOCUMENTS_")

    store: str = Field(min_length=1, description="a folder, or a URL as s3://bucket/folder; the same for every process")
    presses: int = Field(default=1, ge=1, le=64, description="processes that set documents")
    print_timeout: float = Field(default=30.0, gt=0, le=300, description="seconds that one document may take")
    promised_within: int = Field(
        default=300, ge=1, le=30 * 86400, description="seconds after which a document that has no outcome is overdue"
    )
    link_keys: SecretStr | None = Field(
        default=None,
        description="what links are signed with: url-safe base64 of 32 bytes, or several with commas, the newest first",
    )

    @field_validator("link_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            Seal.from_setting(value)
        except ValueError:
            raise ValueError("expected 32 bytes in url-safe base64, or several with commas between them") from None
        return value
