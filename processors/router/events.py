"""Reads a record of `usps.scan-events.v1`: what judging needs, and what may leave."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from schemas.access import Subject
from schemas.errors import RecordRejected
from schemas.event import Channel
from schemas.identifiers import MidStatus, normalize_tracking_number

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}")
_CHANNELS: Final = {channel.value: channel for channel in Channel}
_LONGEST_NUMBER: Final = 64


class RoutedEvent(NamedTuple):
    """One event with one evidence.

    Attributes:
        raw: The record as it came, whole.
        fields: The event without what no merchant may have.
        subject: The record's own evidence, which is judged.
        earlier: The event's evidence before it.
        piece: All evidence of the piece; None: not told, so nobody is known to have all of it.
    """

    raw: bytes
    fields: dict[str, Any]
    event_id: str
    tracking_number: str
    received_at: str
    new_evidence: bool
    subject: Subject
    earlier: Sequence[Subject]
    piece: Sequence[Subject] | None


def read_event(value: bytes | None) -> RoutedEvent:
    """The event of a record. Raises `RecordRejected`: it cannot be judged."""
    try:
        return _read(value or b"")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RecordRejected("record_unreadable", "the record is no scan event") from None


def _read(raw: bytes) -> RoutedEvent:
    fields = orjson.loads(raw)
    evidence = fields.pop("evidence", None)
    piece = fields.pop("piece_evidence", None)
    event_id, number, new = fields["event_id"], fields["tracking_number"], fields["new_evidence"]
    if not _EVENT_ID.fullmatch(event_id) or not isinstance(new, bool):
        raise ValueError("no event")
    if not 0 < len(number) <= _LONGEST_NUMBER or not isinstance(number, str):
        raise ValueError("no tracking number")
    subject = _subject(number, fields)
    return RoutedEvent(
        raw,
        fields,
        event_id,
        number,
        fields["received_at"],
        new,
        subject,
        [_subject(number, one) for one in (evidence or [])[:-1]] if new else (),
        None if piece is None else [_subject(number, one, subject) for one in piece],
    )


def _subject(number: str, evidence: Mapping[str, Any], known: Subject | None = None) -> Subject:
    """What is judged of one evidence; `known` itself, if it is the same."""
    mid, channel = evidence["mid"], _CHANNELS[evidence["channel"]]
    received_at = _instant(evidence["received_at"])
    if (
        known is not None
        and mid == known.mid
        and channel is known.channel
        and received_at == known.received_at
    ):
        return known
    if mid is not None and not isinstance(mid, str):
        raise TypeError("no MID")
    return Subject(number, mid, mid is None and _is_ambiguous(number), channel, received_at)


# One callback's events, and the evidence repeated with them, say the same instant.
@lru_cache(maxsize=4_096)
def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("no instant")
    return instant


@lru_cache(maxsize=4_096)
def _is_ambiguous(number: str) -> bool:
    return normalize_tracking_number(number).mid_status is MidStatus.AMBIGUOUS
