"""A short storm, always the same one: processes are killed under load, and the oracle finds nothing wrong."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.chaos import Chaos, ProviderChaos
from tests.faults.crashes import CASES, MEMBERS, crashes
from tests.faults.deeds import Ground
from tests.faults.journal import NEVER_PASSED
from tests.faults.plan import kills
from tests.faults.rig import Scenario, run
from tests.faults.world import Place, the_world
from tests.plugins.servers import CreateDatabase

SEED = 7
POINTS = [case for case in CASES if case.member != "payer-1"]
"""Those that are passed as soon as there is something to do."""


@pytest.mark.timeout(300)
async def test_nothing_is_lost_doubled_reordered_or_stuck_while_processes_are_killed(
    kafka: str, topic_prefix: str, create_database: CreateDatabase, tmp_path: Path
) -> None:
    databases = {service: await create_database() for service in ("orders", "notifications", "payer")}
    storm = Scenario(
        "short",
        orders=1000,
        seed=SEED,
        steps=[
            *kills(MEMBERS, 4, SEED, apart=1.0),
            *crashes([replace(case, passings=(1,)) for case in random.Random(SEED).sample(POINTS, 4)]),
        ],
        steady=2.0,
        members=MEMBERS,
        charges=ProviderChaos(seed=SEED, slow=0.05, busy=0.05, error_after=0.03, lost=0.03, seconds=0.5),
        mails=Chaos(seed=SEED, slow=0.05, lost=0.05, seconds=0.5),
    )
    (tmp_path / "logs").mkdir()
    async with the_world(tmp_path, Place(databases, kafka, topic_prefix), members=MEMBERS) as world:
        report = await run(Ground(world), storm, tell=lambda _words: None)
    assert report.verdict.findings == []
    assert report.verdict.waiting == []
    assert sum(report.faults.values()) == 8
    assert not any(name.startswith(NEVER_PASSED) for name in report.faults)
    assert report.accepted >= 16
    assert report.verdict.counts["charge: once"] > report.verdict.counts["charge: unknown"]
