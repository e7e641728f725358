"""Crash points: nothing at all unless one is asked for, then the end, at the n-th passing."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import services
import shared
from shared.messaging.crash_points import POINTS, VARIABLE

PROGRAM = """
from shared.messaging.crash_points import crash_point
for n in range(1, 4):
    crash_point("relay.read")
    print(n)
    crash_point("relay.sent")
"""


def run(wanted: str | None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if wanted:
        env[VARIABLE] = wanted
    words = [sys.executable, "-c", PROGRAM]
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - our own program


def test_where_none_is_asked_for_nothing_happens() -> None:
    assert (run(None).returncode, run(None).stdout) == (0, "1\n2\n3\n")


@pytest.mark.parametrize(
    ("wanted", "printed"), [("relay.read", ""), ("relay.sent:2", "1\n2\n"), ("relay.read:3", "1\n2\n")]
)
def test_the_process_is_ended_at_the_nth_passing(wanted: str, printed: str) -> None:
    ended = run(wanted)
    assert ended.returncode == -signal.SIGKILL
    assert printed.startswith(ended.stdout)


def test_a_place_that_does_not_exist_is_said_at_once() -> None:
    assert "there is no crash point relay.lost" in run("relay.lost").stderr


def test_every_declared_place_is_passed_somewhere_and_no_other() -> None:
    used = set()
    for package in (shared, services):
        for folder in package.__path__:
            for file in Path(folder).rglob("*.py"):
                used |= set(re.findall(r'crash_point\("([a-z.-]+)"\)', file.read_text("utf-8")))
    assert used == set(POINTS)
