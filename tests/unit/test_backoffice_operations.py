"""What the operators' pages are made of: a way out for each action, words for each field, commands that shells read."""

import shlex
from collections.abc import Iterable, Mapping

import pytest

from services.backoffice.operations import command_lines
from services.backoffice.operations.kinds import KINDS
from services.backoffice.operations.stands import delay_of, is_well, measures, needs
from services.backoffice.operations.wanted import SERVICES
from shared.messaging.wanted import ACTIONS
from shared.runtime.operator_sections import SECTIONS
from shared.runtime.operator_status import EXAMPLE

NOT_SHOWN = {"cause", "correlation"}
STATES = ("asked", "done", "refused")


def words_of_operations() -> set[str]:
    """Every text of the operators' pages whose name is put together from what services say."""
    full = {name for section in SECTIONS for name in section.full.model_fields} - {"id"}
    wanted = {name for kind in KINDS.values() for name in kind.filters}
    arguments = {name for wish in ACTIONS.values() for name in wish.model_fields}
    deeds = {deed.name for kind in KINDS.values() for deed in kind.deeds}
    families: Mapping[str, Iterable[str]] = {
        **dict.fromkeys(("way", "will", "yes", "way-all"), deeds),
        **dict.fromkeys(("list", "about", "none", "needs"), KINDS),
        "field": full | wanted | arguments - NOT_SHOWN,
        "measure": {measure.name for measure in measures(EXAMPLE)} | {"relay", "consent"},
        "service": SERVICES,
        "state": STATES,
        "action": {*ACTIONS, "restored", "accept-truncated"},
        "happened": {*KINDS, "dead-blocks"},
    }
    return {f"{family}-{name}" for family, names in families.items() for name in names} - {"field-since"}


def test_the_measures_of_the_overview_are_judged_as_the_manual_says() -> None:
    calm = EXAMPLE.model_copy(
        update={
            **dict.fromkeys(("dead", "waiting", "unknown", "quarantined", "parked", "passed"), 0),
            "process": EXAMPLE.process.model_copy(update={"ready": True}),
            "outbox": EXAMPLE.outbox.model_copy(update={"oldest_seconds": 59.0}),
        }
    )
    assert is_well(calm)
    assert needs({"notifications": calm, "orders": None}) == []
    for worse in (
        {"dead": 1},
        {"held": calm.held.model_copy(update={"records": 1, "oldest_seconds": 61.0})},
        {"outbox": calm.outbox.model_copy(update={"oldest_seconds": 61.0})},
        {"outbox": calm.outbox.model_copy(update={"relay": False})},
        {"life": None},
        {"process": calm.process.model_copy(update={"consent": False})},
        {"process": calm.process.model_copy(update={"held_back": "more than 100000 messages wait"})},
        {"topics": [EXAMPLE.topics[0].model_copy(update={"lost": 1})]} if EXAMPLE.topics else {},
    ):
        assert not is_well(calm.model_copy(update=worse)), worse
    assert not is_well(None)
    assert [need.name for need in needs({"a": EXAMPLE, "b": EXAMPLE})] == ["dead", "waiting"]
    assert needs({"a": EXAMPLE, "b": EXAMPLE})[0].count == 2
    assert [delay_of(again) for again in (0, 1, 6, 7, 10_000)] == [3, 5, 60, 60, 60]


@pytest.mark.parametrize("reason", ["it's in the log", "a; rm -rf /", "$(date) `date`", "ä ö å", "--actor eve", "-"])
def test_a_shell_reads_what_was_typed(reason: str) -> None:
    kind = KINDS["unknown"]
    deed = kind.deeds[0]
    line = command_lines.for_one(kind, deed, "notifications", "mail:1:a b", reason=reason, actor="person/1")
    words = shlex.split(line)
    assert words[:5] == ["ops", "unknown", "settle", "notifications/mail:1:a b", "--happened"]
    assert words[5:] == ["--reason", reason, "--actor", "person/1"]
    many = command_lines.for_many(kind, deed, "orders", {}, reason=reason, actor="person/1")
    assert shlex.split(many)[:6] == ["ops", "unknown", "settle", "--service", "orders", "--all"]
