"""Order numbers: unique and rising per shop, with gaps; none is given twice, whatever is rolled back or crashes.

A counter row locked until the order commits would let a shop place one order at a time. So each process takes blocks
in short transactions of its own: numbers rise within a process, across processes block by block. After a restore
nobody knows which numbers were given to the orders that it lost, so every shop's go on far behind them.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from shared.contracts.shop_facts import ShopSettings
from shared.runtime.database import Pool, transaction

BLOCK = 100
AT_LEAST_LOST = 1_000
# Twice what a shop was given in the last week that the database knows of: a restore seldom loses more than a day.
LEAVE_OUT_LOST = """
with begun as (
  update order_number_life l set incarnation = r.incarnation from relay r
  where l.incarnation < r.incarnation and r.restored returning 1
), lost as materialized (
  select s.shop, coalesce((s.settings->>'first_order_number')::bigint, 1) as first, $1::bigint + 2 * coalesce((
    select max(o.number) - min(o.number) from orders o where o.shop = s.shop and o.accepted_at
      > (select max(l.accepted_at) from orders l where l.shop = s.shop) - interval '7 days'), 0) as numbers
  from shop s, begun
)
insert into order_number_block as b (shop, next) select shop, first + numbers from lost order by shop
on conflict (shop) do update set next = b.next + (select numbers from lost where lost.shop = b.shop)
"""
TAKE = """
insert into order_number_block as b (shop, next) values ($1, $2::bigint + $3)
on conflict (shop) do update set next = greatest(b.next, $2) + $3
returning next - $3
"""


@dataclass
class Block:
    """Numbers that are ours alone, from `next` until before `end`."""

    next: int
    end: int


class Numbers:
    """Gives order numbers.

    `pool` must not be the one that commands run in: they wait for it while they hold a connection.
    """

    def __init__(self, pool: Pool, block: int = BLOCK) -> None:
        self._pool = pool
        self._size = block
        self._blocks: dict[str, Block] = {}
        self._taking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def upcoming(self, shop: ShopSettings) -> int:
        """The shop's next number, which stays the next one until it is `used`; do not await in between."""
        if self._empty(shop):
            async with self._taking[shop.shop]:
                while self._empty(shop):
                    await self._take(shop)
        return self._blocks[shop.shop].next

    def used(self, shop: str, number: int) -> None:
        """An order has the number: it is never given again."""
        block = self._blocks[shop]
        block.next = max(block.next, number + 1)

    def give_back(self, shop: str, number: int) -> None:
        """No order has the number after all: it is the next one again, unless another was given since."""
        block = self._blocks[shop]
        if block.next == number + 1:
            block.next = number

    def _empty(self, shop: ShopSettings) -> bool:
        block = self._blocks.get(shop.shop)
        return block is None or block.next >= block.end or block.next < shop.first_order_number

    async def _take(self, shop: ShopSettings) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(LEAVE_OUT_LOST, AT_LEAST_LOST)
            first: int = await connection.fetchval(TAKE, shop.shop, shop.first_order_number, self._size)
        self._blocks[shop.shop] = Block(first, first + self._size)
