"""One relay is active per database; a process's deadline is its own clock read before the lease was asked for."""

import time
from uuid import UUID, uuid4

from shared.messaging.database import Connection

LEASE_SECONDS = 10.0

TAKE = """
update relay set token = $1, until = clock_timestamp() + make_interval(secs => $2)
where token = $1 or until < clock_timestamp() returning incarnation
"""
HOLDS = "select exists (select from relay where token = $1 and until > clock_timestamp())"
GIVE_BACK = "update relay set until = '-infinity' where token = $1"


class RelayLease:
    """The right to publish what stands in the outbox of one database."""

    def __init__(self, connection: Connection, seconds: float = LEASE_SECONDS) -> None:
        self.token: UUID = uuid4()
        self._connection = connection
        self._seconds = seconds
        self._deadline = 0.0
        self._renew_at = 0.0

    def left(self) -> float:
        """Seconds in which this process may still send; never longer than the database's own idea of it."""
        return self._deadline - time.monotonic()

    async def held(self) -> bool:
        """Whether the lease is ours; takes or renews it when a third of it has passed."""
        asked_at = time.monotonic()
        if asked_at < self._renew_at:
            return True
        if await self._connection.fetchval(TAKE, self.token, self._seconds) is None:
            self._deadline = 0.0
            return False
        self._deadline = asked_at + self._seconds
        self._renew_at = asked_at + self._seconds / 3
        return True

    async def holds(self) -> bool:
        """Whether the database still says so: its clock may jump, and a lease can be taken away by hand."""
        return bool(await self._connection.fetchval(HOLDS, self.token))

    async def give_back(self) -> None:
        """Lets another relay start at once."""
        await self._connection.execute(GIVE_BACK, self.token)
        self._deadline = self._renew_at = 0.0
