"""How the two ends of a pipe know where a message ends: four bytes of length, then so many bytes."""

import struct
from typing import BinaryIO

HEAD = struct.Struct(">I")


def frame(body: bytes) -> bytes:
    """The body with its length before it."""
    return HEAD.pack(len(body)) + body


def read_frame(pipe: BinaryIO) -> bytes | None:
    """The next body, waiting for it; None at the end of the pipe."""
    head = pipe.read(HEAD.size)
    return pipe.read(*HEAD.unpack(head)) if len(head) == HEAD.size else None
