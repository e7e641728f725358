"""The demo ends by saying where to look, with commands that can be typed as they stand."""

from datetime import date
from pathlib import Path

from deploy.local.demo.addresses import addresses
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.people import Person
from deploy.local.demo.stories import State, Stories
from deploy.local.demo.system import System
from deploy.local.stack import default_folder

FIRST, SECOND = nordic_orders(2, seed=1, today=date(2026, 11, 24))
SYSTEM = System(
    "http://127.0.0.1:18080",
    "http://127.0.0.1:18082",
    "http://127.0.0.1:18084",
    [Person("handler", "handler@demo.example", "a-new-one")],
    "127.0.0.1:19092",
    "http://127.0.0.1:18025",
    {"orders": "postgresql://postgres@127.0.0.1:15432/orders"},
    {FIRST.shop: "ot_first", SECOND.shop: "ot_second"},
    {FIRST.shop: "dt_first", SECOND.shop: "dt_second"},
    {},
    {},
)


def shown(stories: Stories, folder: Path) -> str:
    return "\n".join(addresses(SYSTEM, stories, folder))


def test_a_confirmed_order_is_shown_with_its_own_shops_token(tmp_path: Path) -> None:
    stories = Stories()
    stories.begin(FIRST, "http")
    story = stories.begin(SECOND, "http")
    story.come_to(State.CONFIRMED)
    story.document_id = "01a2-7"
    said = shown(stories, tmp_path)
    token = SYSTEM.tokens[SECOND.shop]
    assert (
        f"curl -s -H 'Authorization: Bearer {token}' http://127.0.0.1:18080/v1/orders/{SECOND.order.order_id}/log"
        in said
    )
    assert f"journey {SECOND.order.order_id} -d orders=postgresql://" in said
    assert "'Authorization: Bearer dt_second' -d '{}' http://127.0.0.1:18082/v1/documents/01a2-7/link" in said
    assert "http://127.0.0.1:18025" in said
    assert "handler@demo.example         a-new-one" in said


def test_kafkas_own_tools_are_named_where_they_find_this_stack(tmp_path: Path) -> None:
    assert "kafka-console-consumer" in shown(Stories(), default_folder())
    assert "kafka-console-consumer" not in shown(Stories(), tmp_path)
    assert "kcat -C -b 127.0.0.1:19092" in shown(Stories(), tmp_path)
