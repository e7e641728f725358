"""An operator makes and changes shops; what is stored and what is told are the same."""

import json
from pathlib import Path

import asyncpg

from tests.builders import a_shop
from tests.plugins.operator import Answer, ops

FIELDS = a_shop().model_dump(mode="json")


async def told(url: str) -> list[dict[str, object]]:
    """What stands in the outbox for shops.facts, oldest first."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select payload from outbox where topic = 'shops.facts' order by position")
    await connection.close()
    return [json.loads(row["payload"]) for row in rows]


async def save(url: str, *words: str, says: str | None = None) -> Answer:
    return await ops("shops", "save", "nordic-tea", "-d", f"orders={url}", *words, says=says)


async def test_a_shop_is_made_from_a_file_and_told_to_everybody(orders_url: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(FIELDS))
    saved = await save(orders_url, "--file", str(file), "--actor", "olle")
    assert saved.code == 0, saved.err
    assert "currency: None -> SEK" in saved.out
    (fact,) = await told(orders_url)
    assert (fact["subject"], fact["source"], fact["actor"], fact["data"]) == (
        "nordic-tea/orders", "/orders", "olle", FIELDS
    )  # fmt: skip
    shown = await ops("shops", "show", "nordic-tea", "-d", f"orders={orders_url}", "--json")
    assert shown.document == FIELDS
    listed = await ops("shops", "list", "-d", f"orders={orders_url}")
    assert "Nordiska Tehuset" in listed.out


async def test_one_field_is_changed_and_the_others_stay(orders_url: str) -> None:
    await save(orders_url, "--file", "-", says=json.dumps(FIELDS))
    changed = await save(orders_url, "--set", "phone=0701234567", "--set", "languages=sv,en")
    assert changed.code == 0, changed.err
    assert changed.out.splitlines() == ["languages: sv, fi, en -> sv, en", "phone: +46 8 123 45 67 -> 0701234567"]
    latest = (await told(orders_url))[-1]
    assert latest["data"] == FIELDS | {"phone": "0701234567", "languages": ["sv", "en"]}
    assert str(latest["sequence"]).endswith(".000000000002")


async def test_nothing_is_told_twice_unless_asked_for(orders_url: str) -> None:
    await save(orders_url, "--file", "-", says=json.dumps(FIELDS))
    same = await save(orders_url, "--set", "currency=SEK")
    assert (same.code, same.out) == (0, "nothing changed\n")
    assert len(await told(orders_url)) == 1
    again = await save(orders_url, "--again")
    assert again.out == "nothing changed; told again\n"
    assert len(await told(orders_url)) == 2


async def test_what_the_contract_refuses_is_named_field_by_field_and_nothing_is_written(orders_url: str) -> None:
    refused = await save(orders_url, "--set", "currency=XXX", "--set", "name=Tea")
    assert refused.code == 1
    assert "currency: not a currency of ISO 4217" in refused.err
    assert "email: Field required" in refused.err
    assert await told(orders_url) == []
    missing = await ops("shops", "show", "nordic-tea", "-d", f"orders={orders_url}")
    assert (missing.code, missing.err) == (1, "There is no shop nordic-tea.\n")


async def test_a_database_without_the_tables_is_told_which_migrations_it_misses(database_url: str) -> None:
    answer = await ops("shops", "list", "-d", f"orders={database_url}")
    assert answer.code == 3
    assert "missing: messaging/0001_kit, messaging/0002_under_fire, orders/0001_orders" in answer.err
