"""How the two ends of a pipe know where a message ends: four bytes of length, then so many bytes."""

import asyncio
import struct
from typing import BinaryIO

HEAD = struct.Struct(">I")
LARGEST = 64 * 1024 * 1024
"""Bytes; whoever announces more is not believed."""


class FrameTooLarge(Exception):
    """More was announced than is ever sent."""


def frame(body: bytes) -> bytes:
    """The body with its length before it."""
    return HEAD.pack(len(body)) + body


def read_frame(pipe: BinaryIO) -> bytes | None:
    """The next body, waiting for it; None at the end of the pipe."""
    head = pipe.read(HEAD.size)
    return pipe.read(HEAD.unpack(head)[0]) if len(head) == HEAD.size else None


async def next_frame(stream: asyncio.StreamReader) -> bytes:
    """The next body. Raises asyncio.IncompleteReadError at the end of the stream, FrameTooLarge for too much."""
    (length,) = HEAD.unpack(await stream.readexactly(HEAD.size))
    if length > LARGEST:
        raise FrameTooLarge(f"{length} bytes were announced")
    return await stream.readexactly(length)
