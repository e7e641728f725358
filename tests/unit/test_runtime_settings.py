"""Settings are read once, and what is wrong with them is said in sentences that give no secret away."""

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import WRONG_SETTINGS, Role, ServiceSettings, read_settings

SECRET = "sesame-open"


class ShopSettings(ServiceSettings):
    """Settings of an imaginary service."""

    model_config = SettingsConfigDict(env_prefix="SHOP_")

    window: float = Field(default=1.5, gt=0)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", f"postgresql://shop:{SECRET}@db:5432/shop")
    monkeypatch.setenv("SHOP_KAFKA", "one:9092, two:9092")


def test_settings_come_from_the_environment_under_the_prefix_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_ROLES", "api, relay")
    monkeypatch.setenv("SHOP_PORT", "8080")
    monkeypatch.setenv("SHOP_WINDOW", "0.5")
    settings = read_settings(ShopSettings)
    assert settings.kafka == ("one:9092", "two:9092")
    assert settings.roles == {Role.API, Role.RELAY}
    assert (settings.port, settings.window, settings.host) == (8080, 0.5, "127.0.0.1")


def test_a_process_has_all_roles_unless_it_is_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_ROLES", "")
    assert read_settings(ShopSettings).roles == set(Role)


def test_the_password_of_the_database_shows_in_no_representation() -> None:
    settings = read_settings(ShopSettings)
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.model_dump())
    assert SECRET in settings.database_url.get_secret_value()


def test_the_collector_of_traces_is_named_by_the_variable_that_everybody_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert read_settings(ShopSettings).otlp_endpoint == "http://collector:4318"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SHOP_PORT", "eighty", "SHOP_PORT cannot be used: input should be a valid integer"),
        ("SHOP_PORT", "70000", "SHOP_PORT cannot be used: input should be less than or equal to 65535"),
        ("SHOP_ROLES", "api,cook", "SHOP_ROLES cannot be used: input should be 'api', 'ingest', 'work' or 'relay'"),
        ("SHOP_ROLES", ",", "SHOP_ROLES cannot be used"),
        ("SHOP_KAFKA", "one", "SHOP_KAFKA cannot be used: expected host:port[,host:port]"),
        ("SHOP_DATABASE_URL", f"mysql://a:{SECRET}@b/c", "SHOP_DATABASE_URL cannot be used: expected postgresql://"),
        ("SHOP_DATABASE_URL", "", "SHOP_DATABASE_URL is not set."),
        ("SHOP_WINDOW", "0", "SHOP_WINDOW cannot be used: input should be greater than 0"),
        ("SHOP_TRACE_RATIO", "2", "SHOP_TRACE_RATIO cannot be used: input should be less than or equal to 1"),
    ],
)
def test_a_wrong_value_ends_the_process_with_one_sentence_and_exit_code_2(
    variable: str,
    value: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        read_settings(ShopSettings)
    said = capsys.readouterr().err
    assert ended.value.code == WRONG_SETTINGS
    assert said.startswith(sentence)
    assert said.count("\n") == 1
    assert SECRET not in said
