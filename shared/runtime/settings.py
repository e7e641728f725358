"""The settings of a process: read once from the environment when it starts, never looked up anywhere else."""

import sys
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.contracts.catalogue import contract_of
from shared.messaging.sealing import Seal
from shared.runtime.actors import read_key

WRONG_SETTINGS = 2
"""The exit code of a process whose environment cannot be used: starting it again will not help."""


class Role(StrEnum):
    """What a process does; each role can be scaled by itself."""

    API = "api"
    INGEST = "ingest"
    WORK = "work"
    RELAY = "relay"


def split_list(value: Any) -> Any:
    """Read `a, b` as two values; anything that is not text is left for the type to judge."""
    if not isinstance(value, str):
        return value
    return [part for part in (part.strip() for part in value.split(",")) if part]


CommaSeparated = BeforeValidator(split_list)


class ProcessSettings(BaseSettings):
    """What every process is told; a service's own class adds its fields and sets `env_prefix` (`ORDERS_`)."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, populate_by_name=True, hide_input_in_errors=True
    )

    database_url: SecretStr
    database_connections: int = Field(default=16, ge=2, le=1000, description="most connections of this process")
    database_wait: float = Field(default=5.0, gt=0, le=60, description="seconds a request waits for a connection")
    roles: Annotated[frozenset[Role], NoDecode, CommaSeparated] = Field(default=frozenset(Role), min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="0: any free one; the log says which")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    actor_keys: Annotated[tuple[str, ...], NoDecode, CommaSeparated] = Field(
        default=(), description="public keys of the back office, with commas between them while one is changed"
    )
    migrate: bool = Field(default=False, description="bring the database's schema up to date when starting")
    body_limit: int = Field(default=1024 * 1024, ge=1024, description="bytes of a request's body")
    requests_per_second: float = Field(
        default=50.0, ge=0, le=100_000, description="of one token and process, on the long run; 0: as many as it likes"
    )
    requests_at_once: int = Field(default=200, ge=1, le=1_000_000, description="of one token and process, in a burst")
    wrong_tokens_per_minute: int = Field(
        default=30, ge=0, le=100_000, description="that an address may try at one process; 0: as many as it likes"
    )
    stop_within: float = Field(default=20.0, gt=0, le=600, description="seconds from SIGTERM to the end")
    otlp_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    trace_ratio: float = Field(default=1.0, ge=0, le=1, description="share of traces begun here that are recorded")

    @field_validator("database_url")
    @classmethod
    def _names_a_postgresql_database(cls, value: SecretStr) -> SecretStr:
        url = urlsplit(value.get_secret_value())
        if url.scheme not in {"postgresql", "postgres"} or not url.path.strip("/"):
            raise ValueError("expected postgresql://user:password@host:port/database")
        return value

    @field_validator("actor_keys")
    @classmethod
    def _are_public_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            read_key(key)
        return value


class ServiceSettings(ProcessSettings):
    """What a service is told that speaks by messages."""

    kafka: Annotated[tuple[str, ...], NoDecode, CommaSeparated] = Field(min_length=1)
    topic_prefix: str = Field(default="", pattern="^[a-zA-Z0-9._-]{0,100}$")
    instance: int = Field(default=0, ge=0, description="the stable number of this process among its kind")
    emits: Annotated[frozenset[str], NoDecode, CommaSeparated] = Field(
        default=frozenset(), description="new types of messages that everybody who reads them knows by now"
    )
    inbox_limit: int = Field(
        default=100_000, ge=1_000, description="messages that wait for workers; above, reading stops"
    )
    inbox_disk_limit_mib: int = Field(default=20_480, ge=16, description="disk that received messages may take, in MiB")
    sealing_keys: SecretStr | None = Field(
        default=None, description="url-safe base64 of 32 bytes each, with commas between them, the newest first"
    )

    @field_validator("sealing_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            Seal.from_setting(value)
        except ValueError:
            raise ValueError("expected 32 bytes in url-safe base64, or several with commas between them") from None
        return value

    @field_validator("emits")
    @classmethod
    def _are_types(cls, value: frozenset[str]) -> frozenset[str]:
        for type_ in value:
            try:
                contract_of(type_)
            except LookupError:
                raise ValueError(f"there is no type {type_}") from None
        return value

    @field_validator("kafka")
    @classmethod
    def _names_host_and_port(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for server in value:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError("expected host:port[,host:port]")
        return value


S = TypeVar("S", bound=ProcessSettings)


def read_settings(kind: type[S]) -> S:
    """Build `kind` from the environment; a wrong value ends the process with one sentence each and exit code 2."""
    try:
        return kind()
    except ValidationError as error:
        for sentence in wrong_settings(kind, error):
            sys.stderr.write(sentence + "\n")
        raise SystemExit(WRONG_SETTINGS) from None


def wrong_settings(kind: type[ProcessSettings], error: ValidationError) -> list[str]:
    """Say what is wrong with each environment variable, without the values: one of them is a password."""
    sentences = {}
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        variable = environment_name(kind, str(fault["loc"][0])) if fault["loc"] else "The environment"
        if fault["type"] == "missing":
            sentences[variable] = f"{variable} is not set."
        else:
            reason = fault["msg"].removeprefix("Value error, ")
            sentences[variable] = f"{variable} cannot be used: {reason[:1].lower()}{reason[1:]}."
    return list(sentences.values())


def environment_name(kind: type[ProcessSettings], field: str) -> str:
    """Give the environment variable that fills `field`."""
    declared = kind.model_fields.get(field)
    if declared is None or declared.validation_alias is not None:
        return field if field.isupper() or declared is None else "OTEL_EXPORTER_OTLP_ENDPOINT"
    return f"{kind.model_config.get('env_prefix', '')}{field}".upper()
