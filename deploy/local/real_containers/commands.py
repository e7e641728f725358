"""Commands that must succeed: the first that fails ends the run with what it said last."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.failure import LocalStackError


def run(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None, cwd: Path | None = None, within: float = 900
) -> str:
    """Run a command and return its output; raises LocalStackError with its last words when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise LocalStackError(f"`{' '.join(words[:4])} …` did not end well: {failure}") from failure
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise LocalStackError(f"`{' '.join(words[:4])} …` failed with {done.returncode}:\n{said}")
    return done.stdout


def succeeds(command: Sequence[str | Path], env: Mapping[str, str] | None = None, within: float = 60) -> bool:
    """Whether a command ends well."""
    try:
        run(command, env, within=within)
    except LocalStackError:
        return False
    return True
