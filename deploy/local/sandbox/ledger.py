"""What an outside party did stands on disk, synced, before anybody is told of it; a killed one forgets nothing."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Ledger:
    """An append-only file of one JSON object per line; lines that come together are synced together."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_half_a_line(path)
        self._file = path.open("ab", buffering=0)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, **entry: Any) -> Entry:
        """Returns the entry, with the time `at` in seconds of the epoch, when it is on disk."""
        complete = {"at": round(time.time(), 6), **entry}
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((json.dumps(complete).encode() + b"\n", written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_what_waits())
        await asyncio.shield(written)
        return complete

    def close(self) -> None:
        """Nothing is written after this."""
        self._file.close()

    async def _write_what_waits(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._sync, b"".join(line for line, _ in batch))
            for _, written in batch:
                written.set_result(None)

    def _sync(self, lines: bytes) -> None:
        self._file.write(lines)
        os.fsync(self._file.fileno())


def read_ledger(path: Path) -> list[Entry]:
    """The entries in the order in which they were written; none where there is no file yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _drop_half_a_line(path: Path) -> None:
    if path.exists():
        whole = path.read_bytes()
        if not whole.endswith(b"\n"):
            os.truncate(path, whole.rfind(b"\n") + 1)
