"""What a service says of every shop on shops.facts: told when a shop appears, and again when it would say otherwise."""

import time
from collections.abc import Callable

from shared.contracts.message import Meta, new_id, now
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.messaging.outbox import Outbox
from shared.messaging.part import Periodic
from shared.runtime.database import Pool, transaction

EVERY = 2.0
TELL_AGAIN_AFTER = 600.0

SHOPS = """
select s.shop, own.body from fact s left join fact own on own.shop = s.shop and own.owner = $2 and own.type = $3
where s.owner = $1 order by s.shop
"""


class FactsTold(Periodic):
    """A component: `fact` makes what this service says of a shop of this name.

    What was told comes back by the topic like everybody's facts, in a moment. Until it has, and where another version
    of this service says otherwise, the same is told again after ten minutes at the earliest.
    """

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        contract: type[ShopFact],
        fact: Callable[[str], ShopFact],
        *,
        every: float = EVERY,
    ) -> None:
        super().__init__("facts told", every)
        self._pool, self._outbox, self._contract, self._fact = pool, outbox, contract, fact
        self._told: dict[str, tuple[ShopFact, float]] = {}

    async def turn(self) -> bool:
        """Tells what is not known yet."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(SHOPS, ShopSettings.owner, self._contract.owner, self._contract.type)
            missing = [fact for row in rows if (fact := self._missing(row["shop"], row["body"])) is not None]
            if missing:
                await self._outbox.append(connection, [(self._cause(fact), [fact]) for fact in missing])
        if missing:
            self._outbox.committed()
            self._told |= {fact.shop: (fact, time.monotonic() + TELL_AGAIN_AFTER) for fact in missing}
        return False

    def _missing(self, shop: str, known: str | None) -> ShopFact | None:
        wanted = self._fact(shop)
        if known is not None and self._contract.model_validate_json(known) == wanted:
            return None
        told, until = self._told.get(shop, (None, 0.0))
        return None if told == wanted and time.monotonic() < until else wanted

    def _cause(self, fact: ShopFact) -> Meta:
        source, subject = self._outbox.source, fact.subject
        return Meta(id=new_id(), source=source, subject=subject, shop=fact.shop, actor=fact.owner, time=now())
