"""Documents come from processes of their own: warm, killed when they take too long, replaced before they grow."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from services.documents.press import Press
from services.documents.typesetting import PrintRequest
from shared.runtime.child import Fault
from shared.runtime.children import NotMade
from tests.builders import a_line, a_shop, an_order

AT = datetime(2026, 11, 26, 9, tzinfo=UTC)


def a_request(number: int = 1) -> PrintRequest:
    order = an_order(number=number, lines=[a_line(line_id="1")])
    return PrintRequest(document="pick-list", language="sv", at=AT, order=order, shop=a_shop())


def presses() -> list[psutil.Process]:
    """The printing processes that this one has."""
    children = psutil.Process().children()
    return [child for child in children if "services.documents.print_worker" in " ".join(child.cmdline())]


@pytest.fixture
async def press() -> AsyncIterator[Press]:
    made = Press(seconds=30, presses=2)
    yield made
    await made.close()
    assert not presses()


async def test_each_press_prints_one_after_the_other_and_stays(press: Press) -> None:
    printed = await asyncio.gather(*(press.print(a_request(number)) for number in range(1, 21)))
    assert [each.name for each in printed] == [f"plocklista-{number}.pdf" for number in range(1, 21)]
    assert all(each.content.startswith(b"%PDF-") for each in printed)
    assert 1 <= len(presses()) <= 2


async def test_large_orders_are_printed_one_after_the_other_by_presses_that_are_replaced_in_time() -> None:
    press, seen = Press(seconds=30), set()
    for number in range(14):
        lines = [a_line(line_id=str(line), name=f"Sencha {number} {line}") for line in range(1_114)]
        order = an_order(number=number + 1, lines=lines)
        request = PrintRequest(document="pick-list", language="sv", at=AT, order=order, shop=a_shop())
        assert (await press.print(request)).content.startswith(b"%PDF-")
        seen |= {process.pid for process in presses()}
    await press.close()
    assert 1 < len(seen) < 7, "more than one, and each for more than one document"


async def test_an_endless_document_is_killed_and_the_next_is_printed(tmp_path: Path) -> None:
    (tmp_path / "pick-list").mkdir()
    (tmp_path / "texts.toml").write_text('[file_name]\nsv = "x"\nfi = "x"\nen = "x"\n')
    (tmp_path / "pick-list" / "texts.toml").write_text("")
    (tmp_path / "pick-list" / "page.typ").write_text(
        '#let order = json(bytes(sys.inputs.data)).order\n#if order.number == "1" { '
        "for a in range(9999) { for b in range(9999) { for c in range(9999) { } } } }\ndone"
    )
    press = Press(seconds=3, folder=tmp_path)
    await press.print(a_request(2))
    (before,) = presses()
    with pytest.raises(NotMade, match="not made within 3 s"):
        await press.print(a_request(1))
    assert not before.is_running()
    assert (await press.print(a_request(2))).content.startswith(b"%PDF-")
    await press.close()


async def test_a_template_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    press = Press(seconds=30, folder=tmp_path)
    with pytest.raises(Fault, match="pick-list: FileNotFoundError"):
        await press.print(a_request())
    await press.close()
