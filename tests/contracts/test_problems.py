"""Every problem that the code can answer with is documented, with its status, and nothing else is."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from services.orders.answers import REFUSALS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "problems.md"
ROW = re.compile(r"^\| `(?P<slug>[a-z-]+)` \| (?P<status>[0-9, ]+|log) \| (?P<means>[^|]+) \| [^|]*\|$", re.MULTILINE)
SLUG = re.compile(r"[a-z]+(-[a-z]+)*")
OF_THE_FRAMEWORK = {"not-found": 404, "wrong-method": 405}
ON_THE_LOG = {
    "cannot-be-done",
    "invalid-command",
    "lane-blocked",
    "not-there",
    "personal-number-by-topic",
    "unknown-command",
}
NAMES = {"reason", "refused_as"}
"""What a reason is assigned to."""
OF_REPAIRS = 409

Found = tuple[str, int | None]


def constants(node: ast.AST) -> list[object]:
    """The constants that an expression may be: both, where it is one or the other."""
    if isinstance(node, ast.IfExp):
        return [*constants(node.body), *constants(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) else []


def raised(tree: ast.AST) -> Iterator[Found]:
    """The problems and refusals that are made in a module; a status where it stands there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in NAMES for to in node.targets):
            yield from ((str(slug), None) for slug in constants(node.value) if SLUG.fullmatch(str(slug)))
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = [constants(argument) for argument in node.args[:2]]
        if name == "Refused" and given:
            yield from ((str(slug), None) for slug in given[0])
        elif name in {"Problem", "problem_response", "__init__"} and len(given) == 2:
            statuses, slugs = given
            if statuses and slugs and SLUG.fullmatch(str(slugs[0])) and str(statuses[0]).isdigit():
                yield str(slugs[0]), int(str(statuses[0]))
        elif name == "too_many":
            yield str(given[0][0]), 429


def all_raised() -> dict[str, set[int]]:
    """Every problem of the services and what they share, with its statuses."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for room in ("services", "shared"):
        for file in (ROOT / room).rglob("*.py"):
            for slug, status in raised(ast.parse(file.read_text("utf-8"))):
                found[slug] |= {status} if status else set()
    for slug, status in OF_THE_FRAMEWORK.items():
        found[slug].add(status)
    for slug, (status, _) in REFUSALS.items():
        found[slug].add(status)
    return found


def documented() -> dict[str, set[int]]:
    """What the page has; no statuses for what is on the log alone."""
    return {
        row["slug"]: {int(status) for status in row["status"].split(",")} if row["status"] != "log" else set()
        for row in ROW.finditer(PAGE.read_text("utf-8"))
    }


def test_every_problem_is_documented_and_nothing_else() -> None:
    found = all_raised()
    assert len(found) > 60
    assert documented().keys() == found.keys()


def test_its_status_is_the_one_that_is_answered() -> None:
    page = documented()
    for slug, statuses in all_raised().items():
        expected = statuses or (set() if slug in ON_THE_LOG else {OF_REPAIRS})
        assert page[slug] == expected, slug


def test_every_row_of_the_page_is_read() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) == len(ROW.findall(PAGE.read_text("utf-8"))) == len(documented())


def test_every_refusal_of_orders_has_a_status_and_a_title() -> None:
    refused = {
        slug
        for file in (ROOT / "services" / "orders").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused"
        for slug in constants(node.args[0])
    }
    assert refused == REFUSALS.keys()


def test_a_problem_that_is_not_documented_is_found() -> None:
    module = ast.parse('raise Problem(418, "tea-pot", "It is one.")\nraise Refused("no-tea" if x else "no-milk", "!")')
    assert set(raised(module)) == {("tea-pot", 418), ("no-tea", None), ("no-milk", None)}
