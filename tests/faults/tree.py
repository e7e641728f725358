"""A run's processes run a copy of the tree, with one bug planted in it or none, whatever is edited meanwhile."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "services", "deploy", "tests")
PLANTED = Path(__file__).parent / "planted"
NOT_COPIED = shutil.ignore_patterns("planted")


class DoesNotApply(Exception):
    """The tree has changed where the patch wants to change it."""


def copy_of_the_tree(folder: Path, patch: Path | None = None) -> Path:
    """Copies what processes import into a new folder and applies the patch there. Raises DoesNotApply."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=NOT_COPIED)
    shutil.copy(ROOT / "pyproject.toml", folder)
    if patch is not None:
        apply(patch, folder)
    return folder


def apply(patch: Path, folder: Path) -> None:
    """Changes the folder as the patch says, to the letter. Raises DoesNotApply and leaves everything as it was."""
    # The folder may lie in a repository that ignores it, and there git would change nothing in silence.
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    words = ["git", "apply", str(patch.resolve())]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise DoesNotApply(f"{patch.name}: {done.stderr.strip()}")


def imported_from(code: Path) -> Mapping[str, str]:
    """The environment in which Python takes the tree's packages from there, and never from where it was started."""
    return {"PYTHONPATH": str(code.resolve()), "PYTHONSAFEPATH": "1"}
