"""Reads a record of a merchant's topic: only what delivery needs of it, and never changes it."""

import re
from datetime import datetime
from typing import Any, Final

import orjson
from aiokafka.structs import ConsumerRecord

from processors.sinks.base import RecordPosition, SinkEvent
from schemas.access import Subject
from schemas.clock import parse_rfc3339
from schemas.errors import RecordRejected
from schemas.event import Channel, EventCategory
from schemas.headers import GRANT
from schemas.usps.flags import AMBIGUOUS_BARCODE

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}")
_CATEGORIES: Final = {category.value: category for category in EventCategory}
_CHANNELS: Final = {channel.value: channel for channel in Channel}
LONGEST_NUMBER: Final = 64


def position_of(record: ConsumerRecord) -> RecordPosition:
    """Where it stands."""
    return RecordPosition(record.topic, record.partition, record.offset)


def read_event(record: ConsumerRecord) -> SinkEvent:
    """The event of a merchant record. Raises `RecordRejected`: nothing of it can be trusted."""
    try:
        fields = orjson.loads(record.value)
        event_id, number = _event_id(fields["event_id"]), _number(fields["tracking_number"])
        category = _CATEGORIES[fields["category"]]
        received_at = fields["received_at"]
        subject = _subject(fields, number, parse_rfc3339(received_at))
    except (KeyError, TypeError, ValueError):
        raise RecordRejected("record_unreadable", "the record is no scan event") from None
    return SinkEvent(
        event_id=event_id,
        tracking_number=number,
        category=category,
        received_at=received_at,
        subject=subject,
        grant=_header(record, GRANT),
        key=record.key or number.encode(),
        value=record.value,
        headers=record.headers,
        position=position_of(record),
    )


# The id becomes a header and the number a key: only their own form gets there.
def _event_id(value: str) -> str:
    if _EVENT_ID.fullmatch(value) is None:
        raise ValueError("no event id")
    return value


def _number(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NUMBER:
        raise ValueError("no tracking number")
    return value


def _subject(fields: dict[str, Any], number: str, received_at: datetime) -> Subject:
    mid = fields["mid"]
    if mid is not None and not isinstance(mid, str):
        raise TypeError("no MID")
    return Subject(
        tracking_number=number,
        mid=mid,
        mid_ambiguous=mid is None and AMBIGUOUS_BARCODE in (fields.get("flags") or ()),
        channel=_CHANNELS[fields["channel"]],
        received_at=received_at,
    )


def _header(record: ConsumerRecord, name: str) -> str | None:
    for key, value in record.headers:
        if key == name:
            return str(value, "utf-8", "replace")
    return None
