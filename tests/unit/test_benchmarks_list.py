"""The orders that the list is measured with are orders, and the same each time."""

from datetime import UTC, datetime

from benchmarks.list_orders import CHUNKS, COLUMNS, SHARES, rows_of
from shared.contracts.order import OrderSnapshot

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TOTAL = 100 * CHUNKS


def test_a_chunk_holds_the_same_orders_whenever_it_is_made_but_for_their_times_of_change() -> None:
    first, again = (rows_of(3, TOTAL, None, NOW) for _ in range(2))
    ids, shops, numbers = ([row[COLUMNS.index(name)] for row in first] for name in ("id", "shop", "number"))
    assert (ids, shops) == ([row[0] for row in again], [row[1] for row in again])
    assert numbers == list(range(301, 401))
    assert set(shops) <= set(SHARES)


def test_each_is_an_order_that_the_service_can_read_and_old_ones_have_arrived() -> None:
    old, new = ([OrderSnapshot.model_validate_json(row[6]) for row in rows_of(n, TOTAL, None, NOW)] for n in (10, 99))
    for order in old + new:
        assert order.placed_at <= NOW
    assert sum(order.goods == "delivered" for order in old) > 70
    assert sum(order.processing == "unprocessed" for order in new) > 50
