"""The list of requirements cannot drift from the tests that name them."""

from pathlib import Path

import pytest

from tests.plugins.requirements import Proofs, WrongList, proofs_in, with_proofs

DOCUMENT = """\
# Requirements

| No. | Meaning | Lives in | Proved by |
|---|---|---|---|
| R001 | Orders stand in a list. | orders | not yet |
| R002 | A row opens its order. | orders | `unit/test_gone.py::test_gone` |
"""


def in_a_file(folder: Path, text: str) -> Proofs:
    (folder / "test_it.py").write_text(text, "utf-8")
    return proofs_in(folder)


def test_the_tests_that_name_a_requirement_stand_in_its_row() -> None:
    written = with_proofs(DOCUMENT, {"R001": ["unit/test_a.py::test_b", "unit/test_c.py::test_d"]})
    assert (
        "| R001 | Orders stand in a list. | orders | `unit/test_a.py::test_b`<br>`unit/test_c.py::test_d` |\n"
        in written
    )


def test_a_requirement_that_no_test_names_any_more_is_not_yet_proved() -> None:
    assert "| R002 | A row opens its order. | orders | not yet |" in with_proofs(DOCUMENT, {})


def test_all_but_the_last_column_is_left_as_people_wrote_it() -> None:
    assert with_proofs(DOCUMENT, {"R002": ["unit/test_gone.py::test_gone"]}) == DOCUMENT


@pytest.mark.parametrize(
    ("document", "proofs", "sentence"),
    [
        (
            DOCUMENT,
            {"R999": ["unit/test_a.py::test_b"]},
            r"unit/test_a.py::test_b proves R999, which is not in the list",
        ),
        (DOCUMENT + "| R001 | Again. | orders | not yet |\n", {}, "R001 stands in the list twice"),
        (DOCUMENT + "| R003 | Too | many | cells | here |\n", {}, "not a row of four cells"),
    ],
)
def test_what_does_not_fit_together_is_refused(document: str, proofs: Proofs, sentence: str) -> None:
    with pytest.raises(WrongList, match=sentence):
        with_proofs(document, proofs)


def test_a_marker_counts_on_a_test_its_class_its_module_and_a_parameter(tmp_path: Path) -> None:
    found = in_a_file(
        tmp_path,
        "pytestmark = [pytest.mark.requirement('R001')]\n"
        "@pytest.mark.requirement('R002', 'R003')\n"
        "async def test_a(): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.requirement('R004'))])\n"
        "def test_b(): ...\n"
        "@pytest.mark.requirement('R005')\n"
        "class TestC:\n"
        "    @pytest.mark.requirement('R006')\n"
        "    def test_d(self): ...\n"
        "@pytest.mark.requirement('R007')\n"
        "def no_test(): ...\n",
    )
    assert found == {
        "R001": ["test_it.py::test_a", "test_it.py::test_b", "test_it.py::TestC::test_d"],
        "R002": ["test_it.py::test_a"],
        "R003": ["test_it.py::test_a"],
        "R004": ["test_it.py::test_b"],
        "R005": ["test_it.py::TestC::test_d"],
        "R006": ["test_it.py::TestC::test_d"],
    }


def test_a_number_that_is_computed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongList, match=r"test_it\.py:1: the number of a requirement is written out"):
        in_a_file(tmp_path, "@pytest.mark.requirement(NUMBER)\ndef test_a(): ...\n")
