"""Java, Maven and PostgreSQL are the machine's own; one that is missing is installed, or named in one sentence."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.failure import MissingProgramError

JAVA_AT_LEAST = 17
POSTGRES_AT_LEAST = 15
TEST_TOOLS = {"kcat": ["kcat"], "chromium": ["chromium", "fonts-dejavu-core"]}
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/ordersystem.conf")


def find_java() -> Path:
    """The path of a Java of version 17 or later; installs one where it may."""
    return _find_java() or _installed("Java 17 or later", ["default-jre-headless"], _find_java)


def find_maven() -> Path:
    """The path of `mvn`; installs Maven where it may."""
    return _which("mvn") or _installed("Maven", ["maven"], lambda: _which("mvn"))


def find_postgres() -> Path:
    """The folder with `initdb` and `postgres` of version 15 or later; installs PostgreSQL where it may."""
    return _find_postgres() or _installed("PostgreSQL 15 or later", ["postgresql"], _find_postgres)


def _which(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None


def _find_java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    on_path = _which("java")
    candidates += [on_path] if on_path else []
    return next((java for java in candidates if _version([java, "-version"]) >= JAVA_AT_LEAST), None)


def _find_postgres() -> Path | None:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(debian, key=lambda path: _number(path.parent.name), reverse=True)
    pg_config = _which("pg_config")
    if pg_config:
        folders.append(Path(_output([pg_config, "--bindir"]).strip()))
    initdb = _which("initdb")
    if initdb:
        folders.append(initdb.resolve().parent)
    complete = (folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists())
    return next((folder for folder in complete if _version([folder / "postgres", "-V"]) >= POSTGRES_AT_LEAST), None)


def _number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found.group()) if found else 0


def _version(command: list[str | Path]) -> int:
    return _number(_output(command))


def _output(command: list[str | Path]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return done.stdout or done.stderr


def _installed(what: str, packages: list[str], find: Callable[[], Path | None]) -> Path:
    way_out = f"install it ({' '.join(packages)} on Debian and Ubuntu) and start again"
    if not may_install() or os.environ.get("ORDERSYSTEM_INSTALL") == "never":
        raise MissingProgramError(f"{what} is not on this machine: {way_out}.")
    print(f"{what} is not on this machine; installing {' '.join(packages)} with apt-get.", file=sys.stderr)  # noqa: T201
    install(packages)
    found = find()
    if found is None:
        raise MissingProgramError(f"{what} could not be installed by apt-get: {way_out}.")
    return found


def _privilege() -> list[str] | None:
    """The words to put before apt-get, or None where packages may not be installed."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    asked = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if asked and asked.returncode == 0 else None


def may_install() -> bool:
    """Whether this user may install packages of the system without being asked for a password."""
    return _privilege() is not None


def install(packages: list[str]) -> None:
    """Install Debian packages; raises MissingProgramError with apt-get's own last words when that fails.

    PostgreSQL's package would make and start a server of its own: it is told not to.
    """
    privilege = _privilege()
    if privilege is None:
        raise MissingProgramError(f"{' '.join(packages)} cannot be installed without apt-get and the right to use it.")
    quiet = [*privilege, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    script = f"mkdir -p {_NO_CLUSTER.parent} && echo 'create_main_cluster = false' > {_NO_CLUSTER}"
    subprocess.run([*privilege, "sh", "-c", script], check=True)
    try:
        for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            words = [*quiet, *step]
            done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            if done.returncode:
                raise MissingProgramError(f"apt-get {step[0]} failed: {done.stderr.strip()[-600:]}")
    finally:
        subprocess.run([*privilege, "rm", "-f", str(_NO_CLUSTER)], check=True)


def install_test_tools() -> list[str]:
    """Install what single tests need beside the servers; returns what could not be had, in words."""
    missing = [program for program in TEST_TOOLS if shutil.which(program) is None]
    if not missing:
        return []
    skipped = f"The tests that need {' and '.join(missing)} will be skipped"
    if os.environ.get("ORDERSYSTEM_INSTALL") == "never" or not may_install():
        return [f"{skipped}: packages may not be installed here."]
    try:
        install([package for program in missing for package in TEST_TOOLS[program]])
    except MissingProgramError as failure:
        return [f"{skipped}: {failure}"]
    return []
