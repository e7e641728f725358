"""PostgreSQL from the system's own programs, durable as in production: fsync stays on."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.local import system
from deploy.local.failure import LocalStackError
from deploy.local.folders import cache_folder, forget_orphans, give_to, locked, note_stand_in, reachable_folder
from deploy.local.ports import HOST
from deploy.local.processes import Process, start_process

ADMIN = "postgres"
NAME = "PostgreSQL"
STOP_SIGNAL = signal.SIGINT
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "300",
    "fsync": "on",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %d ",
}
_READY_WITHIN = 60.0
_PID_FILE = "postmaster.pid"


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL: its process and the port it listens on (loopback, trusted)."""

    process: Process
    port: int

    def url(self, database: str = ADMIN) -> str:
        """The address of one of its databases."""
        return url(self.port, database)

    async def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is on disk."""
        await self.process.stop(STOP_SIGNAL, within=30.0)


def url(port: int, database: str = ADMIN) -> str:
    """The address of a database of the server on that port."""
    return f"postgresql://{ADMIN}@{HOST}:{port}/{database}"


async def create_database(server_url: str, name: str) -> None:
    """Create the database if it is not there yet."""
    connection = await asyncpg.connect(server_url)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            quoted = '"' + name.replace('"', '""') + '"'
            await connection.execute(f"create database {quoted}")
    finally:
        await connection.close()


async def start(folder: Path, port: int, log: Path) -> Postgres:
    """Start PostgreSQL on the data in `folder`, made there first if it is empty; returns when it answers."""
    programs = await asyncio.to_thread(system.find_postgres)
    user = _unprivileged_user()
    data = reachable_folder(folder, user)
    await asyncio.to_thread(_prepare, programs, data, user)
    await asyncio.to_thread(note_stand_in, folder, data)
    await _end_leftover(folder)
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port), *settings]
    process = start_process(NAME, command, log, user=user)
    postgres = Postgres(process, port)
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(postgres.stop)
        await _until_it_answers(postgres)
        undo.pop_all()
    return postgres


async def forget(folder: Path) -> None:
    """Delete the data, after ending a server that still runs on it."""
    data = reachable_folder(folder, _unprivileged_user())
    await _end_leftover(folder)
    await asyncio.to_thread(shutil.rmtree, data, ignore_errors=True)


def _unprivileged_user() -> str | None:
    """The user to run as: PostgreSQL refuses root; anybody else runs it as themselves."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return ADMIN if ADMIN in names else "nobody"


def _prepare(programs: Path, data: Path, user: str | None) -> None:
    if (data / "PG_VERSION").exists():
        _refuse_other_version(programs, data)
        return
    forget_orphans()
    made = _initialised(programs, user)
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(made, data)
    data.chmod(0o700)
    give_to(data, user)


def _refuse_other_version(programs: Path, data: Path) -> None:
    has = (data / "PG_VERSION").read_text().strip()
    is_ = _major(programs)
    if has != is_:
        raise LocalStackError(
            f"The data in {data} was written by PostgreSQL {has}, this machine has {is_}: "
            "make demo-reset forgets it, or install the version that wrote it."
        )


def _major(programs: Path) -> str:
    said = subprocess.run([programs / "postgres", "-V"], capture_output=True, text=True, check=True).stdout
    return said.split()[2].split(".")[0]


def _initialised(programs: Path, user: str | None) -> Path:
    """An initialised data folder that is never started, made once per version and copied for every use."""
    cache = cache_folder()
    made = reachable_folder(cache / f"postgres-{_major(programs)}", user)
    with locked(cache / "postgres.lock"):
        if (made / "PG_VERSION").exists():
            return made
        half = made.with_name(made.name + ".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        give_to(half, user)
        options = ["--username", ADMIN, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        command: list[str | Path] = [programs / "initdb", "-D", half, *options]
        done = subprocess.run(command, capture_output=True, text=True, user=user, cwd="/", check=False)
        if done.returncode:
            raise LocalStackError(f"PostgreSQL's initdb failed: {done.stderr.strip()[-600:]}")
        half.rename(made)
    return made


def leftover(folder: Path) -> Process | None:
    """The server that runs on the data in `folder`, whoever started it."""
    data = reachable_folder(folder, _unprivileged_user())
    found = Process.by_pid(NAME, _pid_in(data / _PID_FILE))
    return found if found is not None and str(data) in found.command else None


def _pid_in(pid_file: Path) -> int:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(pid_file.read_text().split("\n", 1)[0])
    return 0


async def _end_leftover(folder: Path) -> None:
    """End a server that a killed run left on this data; drop a pid file whose number is another process's by now."""
    running = leftover(folder)
    if running is not None:
        await running.stop(STOP_SIGNAL, within=30.0)
    pid_file = reachable_folder(folder, _unprivileged_user()) / _PID_FILE
    await asyncio.to_thread(pid_file.unlink, missing_ok=True)


async def _connect(postgres: Postgres) -> "asyncpg.Connection[asyncpg.Record]":
    if not postgres.process.listens_on(postgres.port):
        raise ConnectionRefusedError(f"it does not listen on port {postgres.port}")
    return await asyncpg.connect(postgres.url(), timeout=5.0)


async def _until_it_answers(postgres: Postgres) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        if not postgres.process.alive():
            raise postgres.process.ended_early()
        try:
            connection = await _connect(postgres)
        except (OSError, asyncpg.PostgresError, TimeoutError) as refusal:
            if time.monotonic() > deadline:
                raise LocalStackError(f"PostgreSQL did not answer within {_READY_WITHIN:.0f} s: {refusal}") from refusal
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return
