"""A service adds to the command line by having something to add; nothing shared knows its name."""

from pathlib import Path

import pytest

from shared.ops.contributed import contributions

ADDS = """
import typer
from shared.ops.contributed import Contribution

app = typer.Typer()
contribution = Contribution(commands={"stamps": app})
"""


def test_what_a_service_adds_is_found_and_a_service_without_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ("post", "quiet"):
        (tmp_path / "some_services" / service).mkdir(parents=True)
        (tmp_path / "some_services" / service / "__init__.py").touch()
    (tmp_path / "some_services" / "__init__.py").touch()
    (tmp_path / "some_services" / "post" / "ops.py").write_text(ADDS)
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = contributions("some_services")
    assert list(found.commands) == ["stamps"]
    assert found.chapters == ()


def test_without_services_there_is_nothing_to_add() -> None:
    assert contributions("no_such_services") == []


def test_orders_adds_its_shops_and_what_its_tables_tell() -> None:
    tables = {chapter.table for added in contributions() for chapter in added.chapters}
    assert "shops" in {name for added in contributions() for name in added.commands}
    assert tables >= {"orders", "timeline"}
