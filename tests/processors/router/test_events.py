"""What the router reads of a record, and what it refuses to judge."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from processors.router.events import read_event
from schemas.access import Subject
from schemas.errors import RecordRejected
from schemas.event import Channel
from tests.processors.router.events import RECEIVED, evidence, routed, scan_event
from tests.schemas.registry.entities import MID, NUMBER

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
# Two readings of these digits survive; see the tests of identifiers.
AMBIGUOUS = "4201234593009205591234567800000011"


def test_the_records_own_evidence_is_its_subject() -> None:
    """The last of the event's evidence stands in its own fields."""
    event = routed(scan_event())
    assert event.subject == Subject(NUMBER, MID, False, Channel.WEBHOOK, AT)
    assert list(event.piece or ()) == [event.subject]
    assert not event.earlier


def test_evidence_before_it_is_known_only_for_new_evidence() -> None:
    """A first judgement has nothing before it."""
    before = evidence("api", None)
    event = routed(scan_event(evidence("iv_mtr"), before=(before,)))
    assert event.new_evidence
    assert [subject.channel for subject in event.earlier] == [Channel.API]
    assert [subject.channel for subject in event.piece or ()] == [Channel.API, Channel.IV_MTR]


def test_what_names_other_parties_is_not_among_the_fields() -> None:
    """The whole record stays for withheld ones."""
    event = routed(scan_event())
    assert not {"evidence", "piece_evidence"} & event.fields.keys()
    assert "piece_evidence" in orjson.loads(event.raw)


def test_fields_that_a_newer_version_added_are_kept() -> None:
    """A merchant gets what packages wrote."""
    assert routed(scan_event(weather="rain")).fields["weather"] == "rain"


def test_without_a_mid_an_ambiguous_number_is_known_as_one() -> None:
    """Its reason differs from that of a number without any MID."""
    assert routed(scan_event(evidence(mid=None), number=AMBIGUOUS)).subject.mid_ambiguous
    assert not routed(scan_event(evidence(mid=None))).subject.mid_ambiguous
    assert not routed(scan_event(evidence(), number=AMBIGUOUS)).subject.mid_ambiguous


BROKEN: list[tuple[str, Any]] = [
    ("event_id", None),
    ("event_id", "short"),
    ("event_id", 7),
    ("tracking_number", ""),
    ("tracking_number", "9" * 65),
    ("tracking_number", ["9"]),
    ("mid", 912345678),
    ("mid", ["912345678"]),
    ("channel", "rumour"),
    ("channel", ["webhook"]),
    ("received_at", "yesterday"),
    ("received_at", "2026-06-01T12:00:00"),
    ("received_at", None),
    ("new_evidence", "no"),
    ("evidence", 5),
    ("piece_evidence", [5]),
    ("piece_evidence", [{"mid": MID}]),
    ("piece_evidence", [{"mid": MID, "channel": "x", "received_at": RECEIVED}]),
]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_an_event_that_cannot_be_judged_is_rejected(field: str, value: Any) -> None:
    """One error, whatever is wrong with it."""
    event = scan_event(evidence("api"), before=(evidence(),)) | {field: value}
    with pytest.raises(RecordRejected) as rejected:
        read_event(orjson.dumps(event))
    assert rejected.value.reason == "record_unreadable"


@pytest.mark.parametrize(
    "field", ["event_id", "tracking_number", "mid", "channel", "received_at", "new_evidence"]
)
def test_an_event_without_what_judging_needs_is_rejected(field: str) -> None:
    """It is set aside rather than judged by half."""
    event = scan_event()
    del event[field]
    with pytest.raises(RecordRejected):
        read_event(orjson.dumps(event))


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"1"])
def test_bytes_that_are_no_event_are_rejected(value: bytes | None) -> None:
    """A tombstone, other JSON, no JSON."""
    with pytest.raises(RecordRejected):
        read_event(value)


def test_without_the_pieces_evidence_nobody_is_known_to_have_all_of_it() -> None:
    """None, which is not the empty list that everybody has."""
    assert routed(scan_event() | {"piece_evidence": None}).piece is None
