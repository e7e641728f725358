"""The demo's own command, from a file of orders to its exit code; a second start finds the data of the first."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import reset

CHECKOUT = Path(__file__).parents[2]
FILE = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
1,POST,POSTAGE,1,2010-12-01 08:26:00,18.0,17850.0,United Kingdom
2,71053,WHITE METAL LANTERN,6,2010-12-01 08:28:00,3.39,,EIRE
C3,71053,WHITE METAL LANTERN,-6,2010-12-01 08:29:00,3.39,17850.0,United Kingdom
"""


async def demo(folder: Path, *words: str) -> tuple[int | None, list[str]]:
    """What the command ended with, and the lines of its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.local.demo", "--folder", str(folder / "stack"), *words),
        cwd=CHECKOUT,
        env={**os.environ, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, [" ".join(line.strip("│ ").split()) for line in said.decode().splitlines()]


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder for the demo's stack, whose data are forgotten after the test."""
    yield tmp_path
    await reset(tmp_path / "stack")


@pytest.mark.timeout(300)
async def test_every_order_of_a_file_is_confirmed_once_or_refused_and_a_second_start_knows_them(folder: Path) -> None:
    orders = folder / "orders"
    orders.mkdir()
    (orders / "2010-12-01.csv").write_text(FILE)
    code, said = await demo(folder, "--once", "--data", str(orders))
    assert code == 0, "\n".join(said)
    assert "Placed by HTTP │ 1" in said
    assert "Placed as records on orders.commands │ 1" in said
    assert "Not an order, refused by the reader │ 1" in said
    assert "Confirmations accepted by SMTP │ 2; the mailbox has each once" in said
    assert "Confirmed on their timelines │ 2 of 2" in said
    assert "Delivery notes printed │ 2 of 2" in said
    code, said = await demo(folder, "--once", "--data", str(orders))
    assert code == 0, "\n".join(said)
    assert "Already placed by an earlier run │ 2" in said
    assert "Confirmed on their timelines │ 2 of 2" in said
