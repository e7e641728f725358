"""What outlives a run lives in two places: the cache, shared by all checkouts, and a checkout's own `.local`."""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from deploy.local.failure import LocalStackError

_SYSTEM_STATE = Path("/var/lib/ordersystem")
_STANDS_FOR = ".stands-for"


def cache_folder() -> Path:
    """The folder for jars and prepared server folders: $ORDERSYSTEM_CACHE, else the user's XDG cache."""
    named = os.environ.get("ORDERSYSTEM_CACHE")
    if named:
        folder = Path(named)
    else:
        xdg = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(xdg) if xdg else Path.home() / ".cache") / "ordersystem"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def reachable_folder(folder: Path, user: str | None) -> Path:
    """`folder` itself where `user` may walk to it, else a folder of the system that stands for it.

    PostgreSQL refuses to run as root, and root's home is closed to everybody else.
    """
    folder = folder.absolute()
    if user is None or all(_may_enter(parent, user) for parent in folder.parents):
        return folder
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    _SYSTEM_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return _SYSTEM_STATE / digest


def note_stand_in(folder: Path, used: Path) -> None:
    """Write down whose place `used` takes, if it is not `folder` itself, so that it goes when the checkout is gone."""
    if used != folder.absolute():
        used.with_suffix(_STANDS_FOR).write_text(str(folder.absolute()))


def forget_orphans() -> None:
    """Delete what stands for folders of checkouts that were deleted, unless a server still runs there."""
    if not os.access(_SYSTEM_STATE, os.W_OK):
        return
    for record in _SYSTEM_STATE.glob(f"*{_STANDS_FOR}"):
        orphan = record.with_suffix("")
        if not Path(record.read_text()).parent.exists() and not (orphan / "postmaster.pid").exists():
            shutil.rmtree(orphan, ignore_errors=True)
            record.unlink(missing_ok=True)


def _may_enter(folder: Path, user: str) -> bool:
    entry = pwd.getpwnam(user)
    with contextlib.suppress(FileNotFoundError):
        found = folder.stat()
        if found.st_uid == entry.pw_uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid in os.getgrouplist(user, entry.pw_gid):
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)
    return True


def give_to(folder: Path, user: str | None) -> None:
    """Make `user` the owner of everything in `folder`; does nothing where no other user is needed."""
    if user is None:
        return
    shutil.chown(folder, user)
    for path in folder.rglob("*"):
        shutil.chown(path, user)


@contextlib.contextmanager
def locked_or_busy(path: Path) -> Iterator[None]:
    """Hold the lock file `path` alone; raises LocalStackError at once when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise LocalStackError(
                f"The stack in {path.parent} is running already (pid {holder}); stop it first."
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` alone; waits for as long as another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
