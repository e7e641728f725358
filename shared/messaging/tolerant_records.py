"""Whatever a writer could put on a topic can be read off it; an error is left for what the broker has damaged.

aiokafka's compiled parser reads every batch. Where it gives up although the checksum was right, the batch is as its
writer made it, and what is left of it is read field by field, as the broker does before it takes a batch in.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from cramjam import DecompressionError

LENGTH, COUNT = struct.Struct(">8xi"), struct.Struct(">57xi")
"""Where a batch says how many bytes follow these twelve, and how many records it has; its records begin at 61."""
AFTER_LENGTH, RECORDS = 12, 61
CODECS = 7
DECOMPRESSED: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}
LOG_APPEND_TIME = 1
LONGEST_NUMBER = 64
"""Bits."""
UNREADABLE = (
    CorruptRecordException,
    UnicodeDecodeError,
    DecompressionError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    struct.error,
)
"""What the compiled parser and the codecs raise for the bytes that they are given; a codec that is missing is not."""
NO_UTF_8 = re.compile("[\udc80-\udcff]")
SHOWN = 80
"""Bytes of a name that stand in a reason."""

Headers = Sequence[tuple[str, bytes | None]]

log = structlog.get_logger(__name__)


def read_tolerantly() -> None:
    """From now on all consumers of this process read as this module says; saying it again changes nothing.

    aiokafka leaves no other place for it. Raises AttributeError where it has none any more under this name.
    """
    if fetcher.MemoryRecords is not TolerantRecords:
        fetcher.MemoryRecords = TolerantRecords


def name_as_written(name: str) -> bytes:
    """The bytes of a header's name."""
    return name.encode("utf-8", "surrogateescape")


def fault(value: bytes | None, headers: Headers) -> str | None:
    """Why this record is none that could be read without tolerance, in one sentence; None where it could."""
    if isinstance(value, UnreadBatch):
        return value.reason
    for name, _ in headers:
        if not name.isascii() and NO_UTF_8.search(name):
            shown = name_as_written(name)[:SHOWN].decode("ascii", "backslashreplace")
            return f"the name of a header is not UTF-8: {shown}"
    return None


class UnreadBatch(bytes):
    """A batch in whose bytes no more records could be found; it stands for them as one record's value."""

    reason: str

    @classmethod
    def of(cls, batch: memoryview, count: int, error: Exception) -> "UnreadBatch":
        """The batch whole; of `count` records none could be read, because of this error."""
        whole = cls(batch)
        whole.reason = f"a batch is kept whole, {count} of its records cannot be read: {error}"
        return whole


@dataclass(frozen=True, slots=True)
class Record:
    """A record with the attributes that the parsers of aiokafka give theirs; a name may have escaped bytes in it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: ClassVar[None] = None


class TolerantRecords:
    """The batches in the answer to a fetch; it stands where aiokafka's fetcher has its MemoryRecords."""

    def __init__(self, answer: bytes) -> None:
        self._compiled = MemoryRecords(answer)
        self._answer = memoryview(answer)
        self._place = 0

    def size_in_bytes(self) -> int:
        """All of it."""
        size: int = self._compiled.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        more: bool = self._compiled.has_next()
        return more

    def next_batch(self) -> Any:
        """The next batch; what Kafka writes itself, and formats without headers, is the compiled parser's own."""
        batch = self._compiled.next_batch()
        if batch is None:
            return None
        begin = self._place
        self._place += AFTER_LENGTH + LENGTH.unpack_from(self._answer, begin)[0]
        if not isinstance(batch, DefaultRecordBatch) or batch.is_control_batch:
            return batch
        return TolerantBatch(batch, self._answer[begin : self._place])


class TolerantBatch:
    """A batch of the compiled parser, in all but its records."""

    __slots__ = ("_batch", "_compiled", "next_offset", "validate_crc")
    is_control_batch: ClassVar[bool] = False

    def __init__(self, compiled: Any, batch: memoryview) -> None:
        self._compiled, self._batch = compiled, batch
        self.next_offset, self.validate_crc = compiled.next_offset, compiled.validate_crc

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def __iter__(self) -> Iterator[Any]:
        """The records; an offset that is none of the batch's would let its reader pass over the records of others."""
        compiled, given = self._compiled, 0
        first, end = compiled.base_offset, self.next_offset
        error: Exception
        try:
            for record in compiled:
                if not first <= record.offset < end:
                    error = CorruptRecordException(f"its record {given} says that it is at {record.offset}")
                    break
                yield record
                given += 1
            else:
                return
        except UNREADABLE as why:
            error = why
        log.warning("a batch is not as it should be", first=first, end=end, record=given, error=str(error))
        yield from self._as_written(given)

    def _as_written(self, given: int) -> Iterator[Record]:
        # The first `given` records have been read; they cost a second reading, and nothing else.
        (count,) = COUNT.unpack_from(self._batch)
        read = 0
        try:
            fields = _Fields(DECOMPRESSED[self._compiled.attributes & CODECS](bytes(self._batch[RECORDS:])))
            previous = self._compiled.base_offset - 1
            while read < count:
                record = self._record(fields, previous + 1, self.next_offset - (count - read))
                previous, read = record.offset, read + 1
                if read > given:
                    yield record
        except UNREADABLE as error:
            yield self._kept_whole(count - max(read, given), error)

    def _record(self, fields: "_Fields", least: int, most: int) -> Record:
        batch = self._compiled
        fields.skip_length_and_attributes()
        timestamp, offset = batch.first_timestamp + fields.number(), batch.base_offset + fields.number()
        if batch.timestamp_type == LOG_APPEND_TIME:
            timestamp = batch.max_timestamp
        key, value = fields.piece(), fields.piece()
        headers = [(fields.name(), fields.piece()) for _ in range(fields.number())]
        # Where as many records as offsets are left there is one place for each, whatever the record says.
        return Record(min(max(offset, least), most), timestamp, batch.timestamp_type, key, value, headers)

    def _kept_whole(self, left: int, error: Exception) -> Record:
        batch = self._compiled
        whole = UnreadBatch.of(self._batch, left, error)
        return Record(self.next_offset - 1, batch.max_timestamp, batch.timestamp_type, None, whole, [])


class _Fields:
    """The fields of records, one after the other. Raises CorruptRecordException where there is none."""

    def __init__(self, records: bytes) -> None:
        self._records = records
        self._place = 0

    def skip_length_and_attributes(self) -> None:
        """Passes over what begins a record: nobody needs its length, which the broker has not compared with it."""
        self.number()
        self._taken(1)

    def number(self) -> int:
        """A number of variable length, its sign in its lowest bit."""
        number = 0
        for shift in range(0, LONGEST_NUMBER, 7):
            (byte,) = self._taken(1)
            number |= (byte & 127) << shift
            if byte < 128:  # noqa: PLR2004 - the highest bit says that more follows
                return (number >> 1) ^ -(number & 1)
        raise CorruptRecordException(f"the number before byte {self._place} does not end")

    def piece(self) -> bytes | None:
        """Bytes with their length before them; a negative length says that there are none."""
        length = self.number()
        return None if length < 0 else self._taken(length)

    def name(self) -> str:
        """A header's name; bytes in it that are not UTF-8 are escaped, see `name_as_written`."""
        return (self.piece() or b"").decode("utf-8", "surrogateescape")

    def _taken(self, length: int) -> bytes:
        end = self._place + length
        if end > len(self._records):
            raise CorruptRecordException(f"{length} bytes should begin at {self._place} of {len(self._records)}")
        piece = self._records[self._place : end]
        self._place = end
        return piece
