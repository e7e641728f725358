"""How a run went: what its table shows, and whether every accepted order has what was promised, or says why not."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from deploy.local.demo.asked import TurnedAway
from deploy.local.demo.mails import MailCheck
from deploy.local.demo.stories import State, Stories, Story
from deploy.local.demo.work import ROWS
from shared.contracts.order_log import OrderNoted

_WORST_SHOWN = 20
_VISIBLE = {"done", "failed", "unknown", "overdue"}
"""What a promise may have come to: it happened, or it is visible on the order that it did not."""
Row = tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """What one run saw; `flow_seconds` from the first log entry about its orders to the last, by the broker's clock."""

    stories: Stories
    turned_away: list[TurnedAway]
    mails: MailCheck
    flow_seconds: float
    all_seconds: float

    @property
    def good(self) -> bool:
        """Whether all was answered, each accepted order has its mail, once, and its note, and nothing is missing."""
        return self.mails.right and not self.troubled() and not self.without_paper() and not self.missing()

    def troubled(self) -> list[Story]:
        """The orders that were neither refused nor confirmed on their own timeline."""
        return [story for story in self.stories if story.state is not State.REJECTED and not story.on_timeline]

    def without_paper(self) -> list[Story]:
        """The accepted orders whose delivery note could not be fetched."""
        return [story for story in self.stories.accepted() if not story.printed]

    def missing(self) -> list[Story]:
        """The accepted orders that expect something which is neither done nor visibly not."""
        return [
            story
            for story in self.stories.accepted()
            if any(came not in _VISIBLE for came, _ in story.promises.values())
        ]

    def rows(self) -> Iterator[Row]:
        """The table, row by row."""
        stories = self.stories
        yield "Placed by HTTP", _many(len(stories.by("http")))
        yield "Placed as records on orders.commands", _many(len(stories.by("topic")))
        if earlier := stories.by("earlier"):
            yield "Already placed by an earlier run", _many(len(earlier))
        yield from _refusals(
            "Not an order, refused by the reader", [(one.reason, one.words) for one in self.turned_away]
        )
        rejected = stories.at(State.REJECTED)
        yield from _refusals("Refused by orders", [(story.reason, story.words) for story in rejected])
        accepted = stories.accepted()
        yield "Accepted", _many(len(accepted))
        yield "Confirmations accepted by SMTP", self._confirmations()
        on_timeline = sum(story.on_timeline for story in accepted)
        yield "Confirmed on their timelines", f"{_many(on_timeline)} of {_many(len(accepted))}"
        yield "Delivery notes printed", f"{_many(sum(story.printed for story in accepted))} of {_many(len(accepted))}"
        yield from self._promises()
        yield from self._trouble()
        yield from self._speed()

    def table(self) -> Table:
        """The same, to be printed."""
        table = Table(show_header=False, title="What happened", title_justify="left")
        for name, value in self.rows():
            table.add_row(Text(name), Text(value))
        return table

    def complaints(self) -> list[str]:
        """One line for each order that went wrong, the first twenty, and for each mail that is doubled or missing."""
        lines = [*_the_worst(self.troubled(), _what_is_wrong), *_the_worst(self.without_paper(), _why_no_paper)]
        lines += _the_worst(self.missing(), _what_is_missing)
        lines += [
            f"{story.order_id} ({story.asked.label}): {what}: {came}, {words}".rstrip(", ")
            for story in self.stories.accepted()
            for what, (came, words) in story.promises.items()
            if came in {"unknown", "overdue"}
        ]
        lines += [f"the mailbox has {message_id} more than once" for message_id in self.mails.doubled]
        lines += [f"the log calls {message_id} sent, the mailbox has not got it" for message_id in self.mails.missing]
        return lines

    def _confirmations(self) -> str:
        sent = sum(story.state is State.CONFIRMED and story.way != "earlier" for story in self.stories)
        if self.mails.right:
            return f"{_many(sent)}; the mailbox has each once" if sent else "0"
        return f"{_many(sent)}; the mailbox has {_many(self.mails.found)}"

    def _promises(self) -> Iterator[Row]:
        for what, name in ROWS.items():
            told = [story.promises[what] for story in self.stories.accepted() if what in story.promises]
            counts = Counter(came for came, _ in told)
            if not told:
                continue
            yield name, ", ".join(f"{came} {_many(count)}" for came, count in counts.most_common())
            reasons = Counter(words.split(" ")[0] for came, words in told if came == "failed")
            for reason, count in reasons.most_common():
                yield f"  {reason}", _many(count)

    def _trouble(self) -> Iterator[Row]:
        yield "Confirmations that failed", _many(len(self.stories.at(State.FAILED)))
        yield "Confirmations that nobody knows of", _many(len(self.stories.at(State.UNKNOWN)))
        yield "Orders without an answer", _many(len(self.stories.at(State.ASKED)))

    def _speed(self) -> Iterator[Row]:
        entries = self.stories.entries
        events = entries.total() + entries[OrderNoted.type]
        yield "Log entries", f"{_many(entries.total())} ({_counted(entries.items())})" if entries else "0"
        if self.stories.repeated:
            yield (
                "Records that came again",
                f"{_many(self.stories.repeated)}; delivery is at least once",
            )
        if self.flow_seconds > 0:
            placed = len(self.stories) - len(self.stories.by("earlier"))
            yield "Events per second", f"{events / self.flow_seconds:,.0f} (events of orders and log entries)"
            yield "Orders per second", f"{placed / self.flow_seconds:,.1f} from placed to confirmed"
            yield "Time from placed to confirmed", f"{self.flow_seconds:.1f} s for all orders"
        yield "Time with starting everything", f"{self.all_seconds:.1f} s"


def _refusals(title: str, refusals: list[Row]) -> Iterator[Row]:
    yield title, _many(len(refusals))
    words: dict[str, str] = {}
    for reason, in_words in refusals:
        words.setdefault(reason, in_words)
    for reason, count in Counter(reason for reason, _ in refusals).most_common():
        yield f"  {reason}", f"{_many(count)}: {words[reason]}"[:120]


def _the_worst(stories: list[Story], wrong: Callable[[Story], str]) -> list[str]:
    lines = [f"{story.order_id} ({story.asked.label}): {wrong(story)}" for story in stories[:_WORST_SHOWN]]
    return lines + ([f"and {len(stories) - _WORST_SHOWN} more"] if len(stories) > _WORST_SHOWN else [])


def _why_no_paper(story: Story) -> str:
    return f"no delivery note: {story.no_paper}"


def _what_is_missing(story: Story) -> str:
    return "; ".join(
        f"{what} is {came}: {words}".rstrip(": ")
        for what, (came, words) in story.promises.items()
        if came not in _VISIBLE
    )


def _what_is_wrong(story: Story) -> str:
    if story.state is State.CONFIRMED:
        return "confirmed, but its timeline does not say so"
    said = ": ".join(word for word in (story.reason, story.words) if word)
    return f"{story.state.name.lower()}{f' ({said})' if said else ''}"


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name.removesuffix('.v1')} {_many(count)}" for name, count in sorted(counts))


def _many(count: int) -> str:
    return f"{count:,}"
