"""docs/operating.md names only what exists, and every metric that an operator can see."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

import services.notifications.metrics
import shared.messaging.metrics
from deploy.local.__main__ import app as local
from deploy.local.kafka import TOOLS
from services.notifications.settings import NotificationsSettings
from services.orders.settings import OrdersSettings
from shared.ops.__main__ import app as ops
from shared.runtime.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operating.md").read_text("utf-8")
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
LINES = [line.strip() for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
METRICS = [
    metric
    for module in (shared.messaging.metrics, services.notifications.metrics)
    for metric in vars(module).values()
    if isinstance(metric, MetricWrapperBase)
]


def words_of(text: str) -> list[str]:
    """A command as its words: comments are dropped, and alternatives (`make|revoke`) are their first."""
    return [word.split("|")[0] for word in shlex.split(text.replace("\\|", " "), comments=True)]


def commands_named(program: str) -> list[list[str]]:
    """The words behind this program's name, wherever the document types it."""
    return [words_of(text)[len(program.split()) :] for text in [*SPANS, *LINES] if text.startswith(f"{program} ")]


def resolved(app: typer.Typer, words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words name, and the words that are left."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("words", commands_named("ops"), ids=" ".join)
def test_every_command_of_operators_exists_with_its_options(words: list[str]) -> None:
    command, rest = resolved(ops, words)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in rest if word.startswith("-") and word not in known] == []


@pytest.mark.parametrize("words", commands_named("python -m deploy.local"), ids=" ".join)
def test_every_command_of_the_local_stack_exists(words: list[str]) -> None:
    if words != ["--help"]:
        resolved(local, words)


def test_every_tool_of_kafka_comes_with_the_local_stack() -> None:
    assert {word for text in [*SPANS, *LINES] for word in re.findall(r"kafka-[a-z-]+", text)} <= set(TOOLS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric._name)  # noqa: SLF001 - it has no public name
def test_every_metric_of_the_kit_and_of_notifications_is_explained(metric: Counter | Gauge | Histogram) -> None:
    (family,) = metric.collect()
    names = {sample.name for sample in family.samples} | {family.name, f"{family.name}_total"}
    assert any(re.search(rf"`{name}[`{{]", TEXT) for name in names)


def test_every_log_line_named_is_written_somewhere() -> None:
    sources = "".join(
        file.read_text("utf-8") for room in ("shared", "services") for file in (ROOT / room).rglob("*.py")
    )
    table = TEXT[TEXT.index("| alarm |") : TEXT.index("### Repairs")]
    quoted = re.findall(r'(?:line |, )"([a-z ]+)"', re.sub(r"`[^`]*`", "`", table))
    assert len(quoted) >= 5
    assert [words for words in quoted if f'"{words}"' not in sources] == []


def test_every_setting_named_exists() -> None:
    prefixes = {"<SERVICE>": ServiceSettings, "ORDERS": OrdersSettings, "NOTIFICATIONS": NotificationsSettings}
    named = re.findall(r"(<SERVICE>|ORDERS|NOTIFICATIONS)_([A-Z_]+[A-Z])\b", TEXT)
    assert len(named) >= 8
    assert [name for prefix, name in named if name.lower() not in prefixes[prefix].model_fields] == []
