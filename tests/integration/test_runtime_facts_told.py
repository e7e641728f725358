"""A service tells every shop's fact of its own: once, again when it would say otherwise, and of each new shop."""

import json

import pytest

from shared.contracts.shop_facts import PromisedMessage, ShopMessages, ShopSettings
from shared.messaging.outbox import Outbox
from shared.messaging.wakeup import Bell
from shared.runtime import facts_told
from shared.runtime.database import transaction
from shared.runtime.facts_told import FactsTold
from tests.builders import a_shop
from tests.plugins.kit import Kit

TOLD = "select payload from outbox where topic = 'shops.facts' order by position"
KEEP = """
insert into fact (shop, owner, type, incarnation, n, body) values ($1, $2, $3, 1, 1, $4)
on conflict (shop, owner) do update set body = excluded.body
"""


def messages(shop: str, within: int = 300) -> ShopMessages:
    sends = PromisedMessage(event="order.placed.v1", message="order-received")
    return ShopMessages(shop=shop, messages=[sends], within=within)


async def know(kit: Kit, *facts: ShopSettings | ShopMessages) -> None:
    """As if these facts had come by their topic."""
    async with transaction(kit.pool) as connection:
        for fact in facts:
            await connection.execute(KEEP, fact.shop, fact.owner, fact.type, fact.model_dump_json())


async def told(kit: Kit) -> list[tuple[str, str, int]]:
    async with kit.pool.acquire() as connection:
        records = [json.loads(row["payload"]) for row in await connection.fetch(TOLD)]
    return [(each["source"], each["data"]["shop"], each["data"]["within"]) for each in records]


def teller(kit: Kit, within: int = 300) -> FactsTold:
    outbox = Outbox("/notifications", Bell())
    return FactsTold(kit.pool, outbox, ShopMessages, lambda shop: messages(shop, within))


async def test_each_shop_that_appears_is_told_of_once(kit: Kit) -> None:
    facts = teller(kit)
    await facts.turn()
    assert await told(kit) == []
    await know(kit, a_shop())
    for _ in range(2):
        await facts.turn()
    await know(kit, messages("nordic-tea"), a_shop(shop="nordic-outdoors"))
    for _ in range(2):
        await facts.turn()
    assert await told(kit) == [("/notifications", "nordic-tea", 300), ("/notifications", "nordic-outdoors", 300)]


async def test_a_process_that_starts_tells_only_what_has_changed(kit: Kit) -> None:
    await know(kit, a_shop(), messages("nordic-tea"))
    await teller(kit).turn()
    assert await told(kit) == []
    await teller(kit, within=60).turn()
    assert await told(kit) == [("/notifications", "nordic-tea", 60)]


async def test_two_versions_do_not_tell_against_each_other_without_end(kit: Kit) -> None:
    await know(kit, a_shop())
    older, newer = teller(kit, within=300), teller(kit, within=60)
    for each, within in ((older, 300), (newer, 60), (older, 300), (newer, 60)):
        await each.turn()
        await know(kit, messages("nordic-tea", within))
    assert [within for _, _, within in await told(kit)] == [300, 60]


async def test_what_does_not_come_back_is_told_again(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_told, "TELL_AGAIN_AFTER", 0.0)
    await know(kit, a_shop())
    facts = teller(kit)
    for _ in range(2):
        await facts.turn()
    assert len(await told(kit)) == 2
