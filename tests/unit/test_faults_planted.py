"""The planted bugs still apply to the tree, and a process runs the copy that they were planted in."""

import shutil
from pathlib import Path

import pytest

from tests.faults.bugs import BUGS
from tests.faults.deeds import DEEDS
from tests.faults.fleet import Fleet, Member
from tests.faults.tree import PLANTED, ROOT, DoesNotApply, apply

SAYS_WHERE_IT_IS = "import shared\n\nprint(shared.__file__)\n"


def changed_by(patch: Path) -> set[str]:
    return {line.removeprefix("+++ b/") for line in patch.read_text().splitlines() if line.startswith("+++ ")}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_applies_to_the_tree_and_is_still_python(bug: object, tmp_path: Path) -> None:
    patch: Path = bug.patch  # type: ignore[attr-defined]
    for name in changed_by(patch):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    apply(patch, tmp_path)
    for name in changed_by(patch):
        planted = (tmp_path / name).read_text()
        assert planted != (ROOT / name).read_text()
        compile(planted, name, "exec")


def test_there_are_twelve_and_each_has_a_run_or_a_test_that_shows_it() -> None:
    assert {bug.patch for bug in BUGS} == set(PLANTED.glob("*.patch"))
    assert len(BUGS) == 12
    for bug in BUGS:
        assert (bug.scenario is None) == bool(bug.forced)
        if bug.scenario is not None:
            names = {member.name for member in bug.scenario.members} | {
                member.service for member in bug.scenario.members
            }
            assert {step.what for step in bug.scenario.steps} <= DEEDS.keys()
            assert {step.target.partition("/")[0] for step in bug.scenario.steps} <= names
        else:
            file, _, test = bug.forced.partition("::")
            assert f"def {test}(" in (ROOT / file).read_text()


def test_a_patch_that_does_not_apply_says_so_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "shared" / "messaging").mkdir(parents=True)
    for name in changed_by(BUGS[3].patch):
        (tmp_path / name).write_text("nothing of it\n")
    with pytest.raises(DoesNotApply, match="04-no-lane-token"):
        apply(BUGS[3].patch, tmp_path)
    assert {(tmp_path / name).read_text() for name in changed_by(BUGS[3].patch)} == {"nothing of it\n"}


async def test_a_member_imports_the_tree_that_it_is_given_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started in the tree itself, as the rig is, Python would take that one first."""
    code, member = tmp_path / "tree", Member("notifications", 0)
    for package in ("shared", "services", "services/notifications"):
        (code / package).mkdir(parents=True)
        (code / package / "__init__.py").touch()
    (code / "services" / "notifications" / "app.py").write_text(SAYS_WHERE_IT_IS)
    monkeypatch.chdir(ROOT)
    fleet = Fleet(tmp_path, {"notifications": {}}, [member], code)
    assert await fleet.launch(member).ended(30)
    assert fleet.log(member).read_text().strip() == str(code / "shared" / "__init__.py")
