"""Whatever can be seen to be wrong before anything is started is said in one sentence, and nothing is started."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.local.demo.__main__ import main

COMMAND = typer.Typer(add_completion=False)
COMMAND.command()(main)


def said_to(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(COMMAND, words)
    return result.exit_code, result.output


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, said = said_to("--data", str(tmp_path / "nowhere"))
    assert code == 1
    assert "There is no folder" in said


def test_a_file_of_another_kind_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    code, said = said_to("--data", str(tmp_path))
    assert code == 1
    assert "wrong.csv, line 1" in said


@pytest.mark.parametrize("option", ["--seed", "--orders"])
def test_what_is_for_nordic_orders_is_refused_beside_files(tmp_path: Path, option: str) -> None:
    code, said = said_to("--data", str(tmp_path), option, "3")
    assert code == 2
    assert "for Nordic orders" in said


def test_help_says_what_each_option_does() -> None:
    code, said = said_to("--help")
    assert code == 0
    assert all(option in said for option in ("--data", "--orders", "--seed", "--once"))
