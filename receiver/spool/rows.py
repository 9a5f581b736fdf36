"""A record as the spool keeps it."""

from typing import Final, NamedTuple
from zlib import crc32

import orjson
from aiokafka.structs import TopicPartition

from receiver.publishing.door import OutgoingRecord

# What a row takes beside its contents, with the slack of its pages; generously.
ROW_BYTES: Final = 1024
MAX_SEQ: Final = 1 << 53


class Row(NamedTuple):
    """One record. `seq` orders all rows of a spool, 0 before it is in one; `at` is when it came,
    in seconds of the epoch.

    `size` counts against the spool's limit; `checksum` is over key, headers and value, since
    a database notices damage to its structure, not to its contents.
    """

    seq: int
    topic: str
    partition: int
    size: int
    at: float
    checksum: int
    key: bytes
    headers: bytes
    value: bytes

    @property
    def intact(self) -> bool:
        """Whether it reads as it was written; damage may have changed even a column's type."""
        return (
            isinstance(self.topic, str)
            and all(isinstance(number, int) for number in (self.seq, self.partition, self.size))
            and isinstance(self.at, float)
            and 0 < self.seq < MAX_SEQ
            and all(isinstance(part, bytes) for part in (self.key, self.headers, self.value))
            and self.checksum == checksum_of(self.key, self.headers, self.value)
        )


def checksum_of(key: bytes, headers: bytes, value: bytes) -> int:
    """Of a row's contents."""
    return crc32(value, crc32(headers, crc32(key)))


def to_row(record: OutgoingRecord, lane: TopicPartition, at: float) -> Row:
    """The row of a record, without its number."""
    headers = orjson.dumps([(name, value.decode("latin-1")) for name, value in record.headers])
    size = ROW_BYTES + len(record.key) + len(headers) + len(record.value)
    checksum = checksum_of(record.key, headers, record.value)
    return Row(0, lane.topic, lane.partition, size, at, checksum, record.key, headers, record.value)


def to_record(row: Row) -> OutgoingRecord:
    """The record of an intact row."""
    headers = [(name, value.encode("latin-1")) for name, value in orjson.loads(row.headers)]
    return OutgoingRecord(row.topic, row.key, row.value, headers)
