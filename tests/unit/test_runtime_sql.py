"""Queries have names, and a name that does not fit is found when the file is read."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.runtime.sql import QueriesDoNotMatch, load_queries


@dataclass(frozen=True)
class Queries:
    """What the code uses."""

    find_order: str
    insert_order: str


GOOD = """-- Orders.

-- name: find_order
-- by its id
select * from orders where id = $1;

-- name: insert_order
insert into orders (id)
values ($1);
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_block_of_the_file_becomes_a_field(tmp_path: Path) -> None:
    queries = load_queries(Queries, file(tmp_path, GOOD))
    assert queries.find_order == "-- by its id\nselect * from orders where id = $1"
    assert queries.insert_order == "insert into orders (id)\nvalues ($1)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("insert_order", "add_order"), r"missing \['insert_order'\], unused \['add_order'\]"),
        (GOOD + "-- name: find_order\nselect 1\n", "'find_order' stands twice"),
        (GOOD + "-- name:\nselect 1\n", "'' stands twice or is no identifier"),
        ("", "missing"),
    ],
)
def test_a_name_that_does_not_fit_is_found_when_the_file_is_read(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(QueriesDoNotMatch, match=reason):
        load_queries(Queries, file(tmp_path, text))
