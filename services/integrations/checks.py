"""A person asks whether a connection works now: one harmless question, asked past the breaker and seldom.

The breaker keeps orders' calls from a provider that mostly fails; somebody who has just mended it must not wait for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from services.integrations.accounts import Accounts, Adapter
from services.integrations.calling import Checked
from services.integrations.connections import Connection, Kind
from services.integrations.pulse import Pulse
from shared.runtime.database import Pool, connected

SELDOM = 10.0
"""Seconds between two checks of one connection, whichever processes are asked; longer than one takes."""
CLAIM = """
insert into connection_heard as h (shop, kind, asked_at)
select shop, kind, clock_timestamp() from connection where shop = $1 and kind = $2
on conflict (shop, kind) do update set asked_at = excluded.asked_at
where h.asked_at is null or h.asked_at < clock_timestamp() - make_interval(secs => $3)
  or h.asked_at < (select changed_at from connection c where c.shop = $1 and c.kind = $2)
returning true
"""
"""One that was changed may be checked at once."""
LEFT = """
select extract(epoch from asked_at - clock_timestamp())::float8 + $3 from connection_heard where shop = $1 and kind = $2
"""
RECORD = """
update connection_heard set checked_at = clock_timestamp(), checked = $3, checked_ms = $4 where shop = $1 and kind = $2
returning checked_at
"""


class NotConnected(Exception):
    """The shop has no such connection."""


class TooSoon(Exception):
    """It was checked a moment ago; `seconds` are left."""

    def __init__(self, seconds: float) -> None:
        super().__init__(self.__doc__)
        self.seconds = seconds


@dataclass(frozen=True)
class Outcome:
    """What came of a check, and when."""

    at: datetime
    checked: Checked


class Checks:
    """Asks the shops' providers."""

    def __init__(self, pool: Pool, accounts: Mapping[Kind, Accounts[Any]], pulse: Pulse) -> None:
        self._pool, self._accounts, self._pulse = pool, accounts, pulse

    async def check(self, shop: str, kind: Kind) -> Outcome:
        """Whether the shop's connection works, as it is at this moment; written down for all to read.

        Raises NotConnected, TooSoon, UnknownProvider, and CannotOpen where its key cannot be had.
        """
        await self._claim(shop, kind)
        checked = await self._ask(shop, kind)
        await self._pulse.write_down()
        async with connected(self._pool) as connection:
            at = await connection.fetchval(RECORD, shop, kind, checked.word, checked.ms)
        if at is None:
            raise NotConnected
        return Outcome(at, checked)

    async def _claim(self, shop: str, kind: Kind) -> None:
        async with connected(self._pool) as connection:
            if await connection.fetchval(CLAIM, shop, kind, SELDOM):
                return
            left = await connection.fetchval(LEFT, shop, kind, SELDOM)
        if left is None:
            raise NotConnected
        raise TooSoon(max(left, 1.0))

    async def _ask(self, shop: str, kind: Kind) -> Checked:
        try:
            account: tuple[Connection, Adapter] | None = await self._accounts[kind].of(shop, anew=True)
        except (httpx2.InvalidURL, UnicodeError):
            self._pulse.exchanged(shop, kind, "not-reached")
            return Checked("not-reached", 0, "its address or its key cannot be used")
        if account is None:
            raise NotConnected
        return await account[1].check()
