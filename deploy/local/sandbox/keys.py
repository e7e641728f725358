"""An idempotency key gets its first answer again for as long as it is remembered, and is executed anew after that."""

import time

from deploy.local.sandbox.answers import Refused
from deploy.local.sandbox.ledger import Entry


class Keys:
    """What was executed for each key of each account."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[Entry]] = {}

    def learn(self, entry: Entry) -> None:
        """An entry of the ledger; one without a key teaches nothing."""
        if entry["key"]:
            self._known.setdefault((entry["account"], entry["key"]), []).append(entry)

    def recall(self, account: str, key: str, asked: str, memory: float) -> Entry | None:
        """What the key was executed for in the last `memory` seconds. Raises Refused where that was another call."""
        known = self._known.get((account, key))
        if not known or time.time() - known[-1]["at"] >= memory:
            return None
        if known[-1]["asked"] != asked:
            raise Refused(422, "idempotency_key_reused", "This idempotency key was used for another request.")
        return known[-1]

    def executed(self, account: str, key: str) -> list[Entry]:
        """Everything that was executed for the key, also what is not remembered any more."""
        return list(self._known.get((account, key), []))
