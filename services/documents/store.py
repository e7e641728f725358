"""The object store: files by the hash of what they hold, in a folder or in a bucket."""

import asyncio
import hashlib
import os
from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore, from_url


class FileMissing(Exception):
    """There is no such file in the store, or it is not what it was; the message says which."""


class Files:
    """Keeps files for ever, each once; `address` is a folder, or a URL as `s3://bucket/folder`."""

    def __init__(self, address: str) -> None:
        self._folder = None if "://" in address else Path(address)
        store: ObjectStore = from_url(address) if self._folder is None else LocalStore(self._folder, mkdir=True)
        self._store = store

    async def keep(self, content: bytes) -> str:
        """Returns the content's SHA-256, by which it is found, once it would survive a power failure."""
        digest = hashlib.sha256(content).hexdigest()
        path = path_of(digest)
        await obstore.put_async(self._store, path, content)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder, path)
        return digest

    async def read(self, digest: str) -> bytes:
        """The content. Raises FileMissing where it is not there, or is damaged."""
        try:
            answer = await obstore.get_async(self._store, path_of(digest))
            content = bytes(await answer.bytes_async())
        except FileNotFoundError:
            raise FileMissing(f"no file {digest}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise FileMissing(f"file {digest} is damaged")
        return content


def path_of(digest: str) -> str:
    """Where a file lies in the store."""
    return f"files/{digest[:2]}/{digest}"


def _sync(folder: Path, path: str) -> None:
    """The file and the folders above it, which may be new."""
    place = folder / path
    for each in (place, place.parent, place.parent.parent, folder):
        number = os.open(each, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
