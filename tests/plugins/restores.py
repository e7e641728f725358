"""Databases that are set back: a copy is taken, life goes on, and one day the copy stands in the database's place."""

import asyncio
import os
import secrets
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import postgres
from deploy.local.folders import give_to, reachable_folder
from deploy.local.postgres import Postgres
from deploy.local.system import find_postgres
from tests.plugins.servers import execute


def name_of(url: str) -> str:
    """The name of the database at this address."""
    return urlsplit(url).path.strip("/")


async def copy_of(server_url: str, url: str) -> str:
    """The name of a copy of a database that nobody is connected to."""
    name = f"test_{secrets.token_hex(6)}"
    await execute(server_url, f"create database {name} template {name_of(url)}")
    return name


async def set_back(server_url: str, url: str, copy: str) -> None:
    """Puts the copy in the database's place; what came after it was taken is gone."""
    await execute(server_url, f"drop database {name_of(url)} with (force)")
    await execute(server_url, f"alter database {copy} rename to {name_of(url)}")


async def base_backup(running: Postgres, folder: Path) -> Path:
    """A copy of a running server's files, as an operator takes it; `postgres.start(folder, …)` starts it later."""
    return await asyncio.to_thread(_base_backup, running, folder)


def _base_backup(running: Postgres, folder: Path) -> Path:
    data = Path(running.process.command[running.process.command.index("-D") + 1])
    owner = data.owner() if os.geteuid() == 0 else None
    copy = reachable_folder(folder, owner)
    command: list[str | Path] = [
        find_postgres() / "pg_basebackup",
        "-d",
        running.url(),
        "-D",
        copy,
        "-X",
        "stream",
        "-c",
        "fast",
    ]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - PostgreSQL's own program
    give_to(copy, owner)
    return copy


def recover(copy: Path) -> None:
    """The copy, started, goes as far as its own files reach and is a primary again."""
    with (copy / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\n")
    _signal(copy, "recovery.signal")


def follow(copy: Path) -> None:
    """The copy, started, is a standby until it is promoted."""
    _signal(copy, "standby.signal")


def _signal(copy: Path, name: str) -> None:
    (copy / name).touch()
    owner = (copy / "PG_VERSION").stat()
    os.chown(copy / name, owner.st_uid, owner.st_gid)


async def taken_up(folder: Path, port: int, log: Path) -> Postgres:
    """The copy in that folder as a running server."""
    return await postgres.start(folder, port, log)
