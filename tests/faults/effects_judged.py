"""Each event called the world once, in the order of the events, or its timeline says that nobody knows."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.causes import Cause
from tests.faults.explained import Explanations
from tests.faults.history import SERVICE_OF, EffectKind, History, Told
from tests.faults.verdict import Class, Finding

UNKNOWN = "effect.unknown.v1"
DONE = {"charge": "charge.made.v1", "mail": "message.sent.v1"}
FAILED = {"charge": "charge.failed.v1", "mail": "message.failed.v1"}


@dataclass
class Ended:
    """How one effect of one cause ended, as far as anybody can see."""

    executed: int
    done: int
    failed: int
    unknown: int


class EffectsJudged:
    """All effects of one kind; `counts` says how they ended, in one word each."""

    def __init__(self, history: History, causes: Sequence[Cause], kind: EffectKind, mail_domain: str) -> None:
        self.counts: Counter[str] = Counter()
        self._kind, self._service = kind, SERVICE_OF[kind]
        self._causes = {cause.outside_key(kind, mail_domain): cause for cause in causes}
        self._executed = [one.key for one in history.executed if one.kind == kind]
        self._times = Counter(self._executed)
        self._entries = _by_cause(history.told, f"/{self._service}")
        self._left = {left.subject: left for left in history.left if left.service == self._service}
        self._poison = history.poison if kind == "charge" else frozenset()
        self._explanations = Explanations(history, kind)

    def findings(self) -> Iterator[Finding]:
        """What is wrong with them."""
        for key, cause in self._causes.items():
            ended = self._ended(key, cause)
            word, kind = self._judged(cause, key, ended)
            self.counts[word] += 1
            if kind is not None:
                yield Finding(kind, cause.order, f"{self._kind} for event {cause.place[1]}: {word} ({ended})")
        for key in self._times.keys() - self._causes.keys():
            yield Finding(Class.DOUBLED, "", f"{self._kind} {key} was executed without a cause")
        yield from self._out_of_order()

    def _ended(self, key: str, cause: Cause) -> Ended:
        told = Counter(entry.type for entry in self._entries[cause.id])
        return Ended(self._times[key], told[DONE[self._kind]], told[FAILED[self._kind]], told[UNKNOWN])

    def _judged(self, cause: Cause, key: str, ended: Ended) -> tuple[str, Class | None]:
        """One word for how it ended, and what is wrong with that, if anything."""
        if ended.executed > 1:
            return "executed more than once", Class.DOUBLED
        if ended.done + ended.failed > 1 or ended.unknown > 1:
            return "told more than once", Class.DOUBLED
        return self._told(ended) or self._unknown(cause, key, ended) or self._untold(cause)

    def _told(self, ended: Ended) -> tuple[str, Class | None] | None:
        if ended.done and not ended.executed:
            return "told as done but never executed", Class.LOST
        if ended.done:
            return ("known later", None) if ended.unknown else ("once", None)
        if ended.failed:
            return ("executed but told as failed", Class.LOST) if ended.executed else ("declined", None)
        return None

    def _unknown(self, cause: Cause, key: str, ended: Ended) -> tuple[str, Class | None] | None:
        if not ended.unknown:
            return None
        explained = self._explanations.explain(cause.effect_key(self._kind), key)
        return ("unknown", None) if explained else ("unknown for no reason", Class.UNEXPLAINED)

    def _untold(self, cause: Cause) -> tuple[str, Class | None]:
        if cause.order in self._poison:
            return "given up, or waits behind what was", None
        left = self._left.get(cause.order)
        if left is not None:
            return ("waits", None) if left.waits else ("stuck", None)
        return "never told", Class.LOST

    def _out_of_order(self) -> Iterator[Finding]:
        """What was ever unknown may have been executed late."""
        last: dict[str, tuple[int, int]] = {}
        for key in dict.fromkeys(self._executed):
            cause = self._causes.get(key)
            if cause is None or self._ended(key, cause).unknown:
                continue
            if cause.place < last.get(cause.order, (0, 0)):
                words = f"{self._kind} for event {cause.place[1]} came after that for {last[cause.order][1]}"
                yield Finding(Class.REORDERED, cause.order, words)
            last[cause.order] = max(cause.place, last.get(cause.order, (0, 0)))


def _by_cause(told: Sequence[Told], source: str) -> defaultdict[str | None, list[Told]]:
    found: defaultdict[str | None, list[Told]] = defaultdict(list)
    for entry in told:
        if entry.source == source:
            found[entry.cause].append(entry)
    return found
