"""Named keys: the newest seals, the named one opens, and what is wrong with them is said without showing them."""

from base64 import urlsafe_b64encode

import pytest
from pydantic import SecretStr, ValidationError

from services.orders.keyring import Keyring, MissingKey
from services.orders.settings import OrdersSettings
from shared.messaging.sealing import CannotOpen
from shared.runtime.settings import read_settings

OLD, NEW = (urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n"))
NEEDED = {"database_url": SecretStr("postgresql://a@b/c"), "kafka": "localhost:9092"}
WRONG = (OLD, f":{OLD}", "2026-11:", "a:short", f"Ä:{OLD}", f"a:{OLD},a:{NEW}", f"a:{OLD[:-2]}", f"a b:{OLD}")


def ring(setting: str) -> Keyring:
    found = Keyring.from_setting(SecretStr(setting))
    assert found is not None
    return found


def test_the_newest_key_seals_and_the_one_that_is_named_opens() -> None:
    before = ring(f"2026-05:{OLD}").seal(b"content")
    now = ring(f"2026-11:{NEW}, 2026-05:{OLD},")
    assert now.names == ["2026-11", "2026-05"]
    assert now.open(*before) == b"content"
    assert now.seal(b"content")[0] == "2026-11"
    with pytest.raises(MissingKey, match="there is no key 2026-05"):
        ring(f"2026-11:{NEW}").open(*before)
    with pytest.raises(CannotOpen):
        ring(f"2026-05:{NEW}").open(*before)


def test_a_hash_is_another_with_each_key_and_the_same_with_each_order_of_them() -> None:
    one, other = ring(f"a:{OLD},b:{NEW}").hashes(b"content"), ring(f"b:{NEW},a:{OLD}").hashes(b"content")
    assert one == other[::-1]
    assert len(set(one)) == 2


@pytest.mark.parametrize("setting", ["", " , ", None])
def test_there_need_be_no_key(setting: str | None) -> None:
    assert Keyring.from_setting(None if setting is None else SecretStr(setting)) is None
    assert OrdersSettings(**NEEDED).keyring is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting",
    [OLD, f":{OLD}", "2026-11:", "2026-11:short", f"Ä:{OLD}", f"a:{OLD},a:{NEW}", f"a:{OLD[:-2]}", f"a b:{OLD}"],
)
def test_a_setting_that_is_none_is_refused_without_showing_it(
    setting: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValidationError):
        OrdersSettings(**NEEDED, sealing_keys=SecretStr(setting))  # type: ignore[arg-type]
    monkeypatch.setenv("ORDERS_DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.setenv("ORDERS_KAFKA", "localhost:9092")
    monkeypatch.setenv("ORDERS_SEALING_KEYS", setting)
    with pytest.raises(SystemExit):
        read_settings(OrdersSettings)
    said = capsys.readouterr().err
    assert said.startswith("ORDERS_SEALING_KEYS cannot be used: expected name:key")
    assert OLD not in said
