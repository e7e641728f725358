"""What an operator types, run in this process, and what the terminal showed."""

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner, Result

from shared.ops.__main__ import app

ONE_TERMINAL = threading.Lock()
"""The runner takes the whole process's output, so two commands cannot run at once."""


@dataclass(frozen=True)
class Answer:
    """A command's exit code, its output, and what it said on stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


async def ops(*words: str, env: Mapping[str, str | None] | None = None, says: str | None = None) -> Answer:
    """Types `python -m shared.ops <words>`, and `says` where it is asked. An unforeseen exception fails the test."""
    nothing_else = {"OPS_DATABASES": None, "OPS_KAFKA": None, "OPS_TOPIC_PREFIX": None}

    def typed() -> Result:
        with ONE_TERMINAL:
            return CliRunner().invoke(app, list(words), input=says, env={**nothing_else, **(env or {})})

    result = await asyncio.to_thread(typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)
