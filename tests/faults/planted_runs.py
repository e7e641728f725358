"""Runs each planted bug's scenario twice: the tree as it is must pass, and the bug must be named."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import postgres
from tests.faults.bugs import Bug
from tests.faults.deeds import Ground
from tests.faults.rig import Scenario, Tell, run, servers_in, world_of
from tests.faults.servers import OwnKafka, OwnPostgres
from tests.faults.tree import copy_of_the_tree, imported_from
from tests.faults.verdict import Verdict
from tests.faults.world import MIGRATIONS, Place

SHOWN = 2
"""Findings that are quoted."""


@dataclass(frozen=True)
class Shown:
    """What two runs showed of one bug, in words; `caught` is what counts."""

    bug: Bug
    caught: bool
    without: str
    planted: str


@dataclass(frozen=True)
class Nursery:
    """Servers that all runs share; each run has databases and topics of its own."""

    folder: Path
    database: OwnPostgres
    broker: OwnKafka

    async def show(self, bug: Bug, tell: Tell) -> Shown:
        """Runs the bug's scenario, or test, without the bug and with it."""
        folders = [self.folder / bug.name / name for name in ("without", "planted")]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "logs").mkdir(parents=True)
        trees = [
            copy_of_the_tree(folders[0] / "tree"),
            copy_of_the_tree(folders[1] / "tree", bug.patch),
        ]
        if bug.scenario is None:
            passes = [await self._passes(bug.forced, tree) for tree in trees]
            words = ["passes" if each else "fails" for each in passes]
            return Shown(bug, passes == [True, False], *words)
        without, planted = [
            await self._verdict(bug.scenario, folder, tree, tell) for folder, tree in zip(folders, trees, strict=True)
        ]
        caught = without.good and bug.says in planted.wrong()
        return Shown(bug, caught, in_words(without), in_words(planted))

    async def _verdict(self, scenario: Scenario, folder: Path, tree: Path, tell: Tell) -> Verdict:
        async with self._place(folder) as place, world_of(folder, place, scenario, tree) as ready:
            report = await run(Ground(ready, {self.broker.name: self.broker}), scenario, tell)
        (folder / "findings").write_text("\n".join(f"{f.kind} {f.order} {f.words}" for f in report.verdict.findings))
        return report.verdict

    @asynccontextmanager
    async def _place(self, folder: Path) -> AsyncIterator[Place]:
        name = f"{folder.parent.name[:2]}_{folder.name}"
        names = {service: f"{service}_{name}" for service in MIGRATIONS}
        for database in names.values():
            await postgres.create_database(self.database.url(), database)
        urls = {service: self.database.url(database) for service, database in names.items()}
        yield Place(urls, self.broker.address, f"{name}.")

    async def _passes(self, test: str, tree: Path) -> bool:
        env = {
            **os.environ,
            **imported_from(tree),
            "TEST_KAFKA": self.broker.address,
            "TEST_DATABASE_URL": self.database.url(),
        }
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
        with (tree.parent / "logs" / "pytest.log").open("wb") as log:
            child = await asyncio.create_subprocess_exec(
                *words, cwd=tree, env=env, stdout=log, stderr=subprocess.STDOUT
            )
            return await child.wait() == 0


def in_words(verdict: Verdict) -> str:
    """What is wrong, counted, and the first of it."""
    if verdict.good:
        return "nothing wrong"
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(verdict.wrong().items()))
    return f"{counts}: " + "; ".join(finding.words for finding in verdict.findings[:SHOWN])


async def show_all(folder: Path, bugs: Sequence[Bug], tell: Tell, say: Callable[[Shown], None]) -> list[Shown]:
    """One bug after the other; each is said when it is over."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    shown = []
    async with servers_in(folder) as (database, broker):
        nursery = Nursery(folder, database, broker)
        for bug in bugs:
            shown.append(await nursery.show(bug, tell))
            say(shown[-1])
    return shown
