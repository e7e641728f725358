"""A ledger holds whole lines only, also after its writer was killed in the middle of one."""

import asyncio
from contextlib import closing
from pathlib import Path

from deploy.local.sandbox.ledger import Ledger, read_ledger
from tests.faults.chaos import Chaos, ProviderChaos


async def test_what_was_written_is_read_in_its_order(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger")) as ledger:
        await asyncio.gather(*(ledger.write(n=n) for n in range(100)))
        await ledger.write(n=100)
    assert [entry["n"] for entry in read_ledger(tmp_path / "ledger")] == list(range(101))


async def test_half_a_line_is_not_read_and_goes_when_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with closing(Ledger(path)) as ledger:
        await ledger.write(n=1)
    with path.open("ab") as file:
        file.write(b'{"n": 2, "torn')
    assert [entry["n"] for entry in read_ledger(path)] == [1]
    with closing(Ledger(path)) as ledger:
        await ledger.write(n=3)
    assert [entry["n"] for entry in read_ledger(path)] == [1, 3]


def test_chaos_is_the_same_for_the_same_seed_key_and_try() -> None:
    chaos = ProviderChaos(seed=7, slow=0.2, lost=0.2, late=0.2, error_before=0.2)
    drawn = [chaos.mishap(chaos.draw(f"k{n}", 1)) for n in range(200)]
    assert drawn == [chaos.mishap(chaos.draw(f"k{n}", 1)) for n in range(200)]
    assert set(drawn) == {"slow", "lost", "late", "error-before", None}
    assert Chaos().mishap(Chaos().draw("k", 1)) is None
