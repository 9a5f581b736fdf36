"""The dead letter of a program that cannot process, or cannot write, a record."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from aiokafka.structs import ConsumerRecord

from processors.consume.stage import OutRecord
from schemas.clock import rfc3339
from schemas.headers import record_headers
from schemas.records import CloudEventType
from schemas.topics import LARGE_RECORD_BYTES, TopicNames

# In Base64 a third longer, and the rest of the letter beside it.
MAX_KEPT_BYTES: Final = LARGE_RECORD_BYTES * 3 // 4 - 64 * 1024


def dead_letter_of(
    names: TopicNames, program: str, record: ConsumerRecord, reason: str, at: datetime
) -> OutRecord:
    """The dead letter of an input record. `program`: its short name; `reason`: a slug."""
    position = (record.topic, record.partition, record.offset)
    return _letter(names, program, _Given(position, record.key, record.value, reason), at)


def dead_letter_for(
    names: TopicNames, program: str, position: tuple[str, int, int], out: OutRecord, at: datetime
) -> OutRecord:
    """The dead letter for a record that the broker calls too large.

    `position`: topic, partition and offset of the input it came of. A dead letter that is
    itself too large goes without the bytes.
    """
    value = None if out.topic == names.dead_letters else out.value
    return _letter(names, program, _Given(position, out.key, value, "record_too_large"), at)


@dataclass(frozen=True, slots=True)
class _Given:
    position: tuple[str, int, int]
    key: bytes | None
    value: bytes | None
    reason: str


def _letter(names: TopicNames, program: str, given: _Given, at: datetime) -> OutRecord:
    topic, partition, offset = given.position
    kept = given.value if len(given.value or b"") <= MAX_KEPT_BYTES else None
    text = None if given.key is None else given.key.decode("utf-8", "replace")
    letter = {
        "destination": program,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "event": None,
        "record_base64": None if kept is None else b64encode(kept).decode(),
        "key": text,
        "attempts": [],
        "reason": given.reason,
        "dead_lettered_at": rfc3339(at),
    }
    headers = record_headers(
        f"{program}/{topic}/{partition}/{offset}",
        CloudEventType.DEAD_LETTER,
        f"scanwire/{program}",
        rfc3339(at),
        text,
    )
    return OutRecord(
        names.dead_letters, partition, program.encode(), orjson.dumps(letter), headers, offset
    )
