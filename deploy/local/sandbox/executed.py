"""What was executed is in the synced ledger before it counts, and counts before anybody is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.sandbox.desk import Desk
from deploy.local.sandbox.keys import Keys
from deploy.local.sandbox.ledger import Entry, Ledger, read_ledger
from deploy.local.sandbox.webhooks import Event, Webhooks


class Executed:
    """The ledger of one vendor: `apply` hears of every entry in its order, those of earlier runs first."""

    def __init__(self, folder: Path, apply: Callable[[Entry], None], desk: Desk, webhooks: Webhooks | None) -> None:
        self.keys = Keys()
        self._path, self._apply, self._desk, self._webhooks = folder / "ledger.jsonl", apply, desk, webhooks
        for entry in read_ledger(self._path):
            self._count(entry)
        self._ledger = Ledger(self._path)

    async def add(self, *, account: str, key: str = "", webhook: Event | None = None, **what: Any) -> Entry:
        """Returns the entry when it is on disk and counts; its webhook is on its way then."""
        entry = await self._ledger.write(account=account, key=key, **what, webhook=webhook)
        self._count(entry)
        if webhook is not None and self._webhooks is not None:
            self._webhooks.tell(account, webhook, self._desk.misbehaviour)
        return entry

    def entries(self) -> list[Entry]:
        """All of it, as it stands on disk."""
        return read_ledger(self._path)

    def recall(self, account: str, key: str, asked: str) -> Entry | None:
        """What the key is remembered for. Raises Refused where that was another call."""
        return self.keys.recall(account, key, asked, self._desk.misbehaviour.memory)

    def _count(self, entry: Entry) -> None:
        self.keys.learn(entry)
        self._apply(entry)
