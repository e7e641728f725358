"""One byte that was changed in the database is named: to the shop by HTTP, to an operator on the command line."""

from uuid import uuid4

import pytest

from services.orders import verifying
from tests.builders import a_shop, an_order, to_place
from tests.integration.test_orders_promises import hear, sent
from tests.plugins.operator import ops
from tests.plugins.orders import CallAs, Caller, OrdersAlone

pytestmark = pytest.mark.requirement("R206")


async def an_order_with_a_mail(alone: OrdersAlone, shop: str = "nordic-tea") -> tuple[str, str]:
    """Its id, and that of the entry that says that the mail was sent."""
    command = to_place(an_order(shop=shop))
    event, *_ = await alone.handle(command)
    entry = sent(command.order_id, event.meta.id)
    await hear(alone, entry)
    return str(command.order_id), entry.meta.id


async def change_one_byte(alone: OrdersAlone, order_id: str) -> None:
    await alone.pool.execute(
        """
        update timeline set data = jsonb_set(data, '{recipient}', '"b***@example.org"') where order_id = $1 and n = 2
        """,
        order_id,
    )


async def test_the_shop_is_told_which_entry_is_not_what_was_recorded(
    tea: Caller, call_as: CallAs, orders_alone: OrdersAlone
) -> None:
    order_id, entry_id = await an_order_with_a_mail(orders_alone)
    whole = (await tea.get(f"{order_id}/log/verify")).json()
    assert whole == {"intact": True, "entries": 2, "first_broken": None, "entry_id": None}
    await change_one_byte(orders_alone, order_id)
    broken = (await tea.get(f"{order_id}/log/verify")).json()
    assert broken == {"intact": False, "entries": 2, "first_broken": 2, "entry_id": entry_id}
    assert (await (await call_as("other-shop")).get(f"{order_id}/log/verify")).status_code == 404
    assert (await tea.get(f"{uuid4()}/log/verify")).status_code == 404


async def test_an_operator_is_told_of_each_log_that_is_broken(
    orders_alone: OrdersAlone, orders_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "AT_ONCE", 2)
    await orders_alone.save(a_shop(shop="nordic-coffee"))
    orders = [await an_order_with_a_mail(orders_alone) for _ in range(4)]
    coffee, _ = await an_order_with_a_mail(orders_alone, "nordic-coffee")
    where = ("-d", f"orders={orders_url}")
    for chosen, count in ((("--all",), 5), (("--shop", "nordic-tea"), 4), ((coffee,), 1)):
        answer = await ops("orders", "verify", *chosen, *where)
        assert (answer.code, answer.out.strip()) == (0, f"intact: {count} log{'s' * (count > 1)}")
    (order_id, entry_id), (beheaded, _), *_ = orders
    await change_one_byte(orders_alone, order_id)
    await orders_alone.pool.execute("delete from timeline_head where order_id = $1", beheaded)
    for chosen in (("--all",), ("--shop", "nordic-tea")):
        answer = await ops("orders", "verify", *chosen, *where)
        assert answer.code == 1
        assert sorted(answer.err.splitlines()) == sorted([
            f"order {order_id}: entry 2 (message.sent.v1 {entry_id}) is not what was recorded",
            f"order {beheaded}: entry 3 is missing, or its log's head is not what was recorded",
        ])  # fmt: skip
    one = await ops("orders", "verify", order_id, *where, "--json")
    assert (one.code, one.document["broken"][0]["entry_id"]) == (1, entry_id)
    assert (await ops("orders", "verify", "--shop", "nordic-coffee", *where)).code == 0


async def test_what_is_asked_wrongly_or_is_not_there_is_said(orders_url: str) -> None:
    where = ("-d", f"orders={orders_url}")
    assert (await ops("orders", "verify", *where)).code == 2
    assert (await ops("orders", "verify", "--all", "--shop", "x", *where)).code == 2
    nobody = await ops("orders", "verify", str(uuid4()), *where)
    assert (nobody.code, nobody.out.strip()) == (1, "there is no such order")
    assert (await ops("orders", "verify", "--all", *where)).out.strip() == "intact: 0 logs"
