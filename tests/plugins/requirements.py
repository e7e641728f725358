"""`docs/requirements.md` says of every requirement what it means; its last column is computed here from the tests.

A test names what it proves: `@pytest.mark.requirement("R066")`. Run as `python -m tests.plugins.requirements`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

TESTS = Path(__file__).parents[1]
LIST = TESTS.parent / "docs" / "requirements.md"
ROW = re.compile(r"^\| (?P<number>R\d{3}) \| (?P<meaning>[^|]+) \| (?P<part>[^|]+) \| (?P<proof>[^|]*) \|$")
UNPROVED = "not yet"

Proofs = dict[str, list[str]]


class WrongList(Exception):
    """The list and the markers do not fit together; the message is one sentence a line."""


def proofs_in(tests: Path) -> Proofs:
    """The tests that prove each requirement, as `unit/test_x.py::test_y`. Raises WrongList for an unreadable marker."""
    found: Proofs = {}
    for file in sorted(tests.rglob("test_*.py")):
        module = ast.parse(file.read_text("utf-8"))
        for test, numbers in _marked(module, file):
            for number in numbers:
                found.setdefault(number, []).append(f"{file.relative_to(tests).as_posix()}::{test}")
    return found


def with_proofs(document: str, proofs: Proofs) -> str:
    """The list with its last column computed. Raises WrongList for a number that is unknown, or listed twice."""
    rows = [row["number"] for line in document.splitlines() if (row := ROW.match(line))]
    wrong = [f"{number} stands in the list twice" for number in sorted({each for each in rows if rows.count(each) > 1})]
    wrong += [
        f"{proofs[number][0]} proves {number}, which is not in the list" for number in sorted(proofs.keys() - set(rows))
    ]
    wrong += [
        f"not a row of four cells: {line}"
        for line in document.splitlines()
        if line.startswith("| R") and not ROW.match(line)
    ]
    if wrong:
        raise WrongList("\n".join(wrong))
    return "".join(_rewritten(line, proofs) for line in document.splitlines(keepends=True))


def _rewritten(line: str, proofs: Proofs) -> str:
    row = ROW.match(line.rstrip("\n"))
    if row is None:
        return line
    tests = proofs.get(row["number"])
    proof = "<br>".join(f"`{test}`" for test in tests) if tests else UNPROVED
    return f"| {row['number']} | {row['meaning']} | {row['part']} | {proof} |\n"


def _marked(
    scope: ast.Module | ast.ClassDef, file: Path, outer: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[str]]]:
    """Every test in a module or class, with the numbers on it, on its class and on its module."""
    own = [
        value for node in scope.body if isinstance(node, ast.Assign) and _is_pytestmark(node) for value in [node.value]
    ]
    inherited = (*outer, *_numbers(own, file))
    for node in scope.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, sorted({*inherited, *_numbers(node.decorator_list, file)})
        elif isinstance(node, ast.ClassDef):
            for test, numbers in _marked(node, file, (*inherited, *_numbers(node.decorator_list, file))):
                yield f"{node.name}::{test}", numbers


def _is_pytestmark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _numbers(expressions: list[ast.expr], file: Path) -> Iterator[str]:
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.requirement"):
                for argument in node.args:
                    if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                        raise WrongList(f"{file.name}:{node.lineno}: the number of a requirement is written out")
                    yield argument.value


def main(
    *,
    write: Annotated[
        bool, typer.Option("--write/--check", help="Write the list anew, or fail where it differs.")
    ] = False,
) -> None:
    """Keep the list of requirements and the tests that prove them in step."""
    present = LIST.read_text("utf-8")
    try:
        computed = with_proofs(present, proofs_in(TESTS))
    except WrongList as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if write and computed != present:
        LIST.write_text(computed, "utf-8")
    elif computed != present:
        typer.echo(
            "docs/requirements.md differs from the tests: `python -m tests.plugins.requirements --write`", err=True
        )
        raise typer.Exit(1)
    unproved = computed.count(f"| {UNPROVED} |")
    proved = sum(1 for line in computed.splitlines() if ROW.match(line)) - unproved
    typer.echo(f"{proved} requirements are proved by tests, {unproved} not yet.")


if __name__ == "__main__":
    typer.run(main)
