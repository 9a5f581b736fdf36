"""The records that `packages` writes, as dicts in the shape of the models, and their bytes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from processors.consume import OutRecord
from processors.packages.evidence import Evidence
from processors.packages.order import Known
from schemas.headers import Headers, record_headers
from schemas.records import CloudEventType
from schemas.topics import TopicNames

SOURCE: Final = "scanwire/packages"
_SCAN_EVENT: Final = CloudEventType.SCAN_EVENT.value
_PACKAGE_STATE: Final = CloudEventType.PACKAGE_STATE.value


class Judged(NamedTuple):
    """What belongs to a published event beside what the feed stated and what is known of it.

    Attributes:
        evidence: Of this publication; `known` has it already, among the others.
        package_category: Of its piece, after it.
    """

    evidence: Evidence
    new_evidence: bool
    package_category: str | None
    expected_delivery: str | None
    piece_evidence: Sequence[Evidence]


def scan_event(stated: Mapping[str, Any], known: Known, judged: Judged) -> dict[str, Any]:
    """A `ScanEvent`: the feed's facts, the evidence of this publication, what is derived."""
    own = judged.evidence
    return {
        **stated,
        "mid": own["mid"],
        "mid_source": own["mid_source"],
        "sequence": known["sequence"],
        "piece": known["piece"],
        "new_evidence": judged.new_evidence,
        "variant_of": known["variant_of"],
        "first_in_category": known["first_in_category"],
        "late": known["late"],
        "package_category": judged.package_category,
        "expected_delivery": judged.expected_delivery,
        "evidence": known["evidence"],
        "piece_evidence": list(judged.piece_evidence),
    }


def event_record(
    names: TopicNames, partition: int, event: Mapping[str, Any], offset: int
) -> OutRecord:
    """An event's record on `usps.scan-events.v1`; `offset`: of the update it came with."""
    number: str = event["tracking_number"]
    headers = record_headers(event["event_id"], _SCAN_EVENT, SOURCE, event["received_at"], number)
    return OutRecord(
        names.scan_events, partition, number.encode(), orjson.dumps(event), headers, offset
    )


def state_record(
    names: TopicNames, partition: int, state: Mapping[str, Any], value: bytes
) -> OutRecord:
    """A state's record on `usps.packages.v1`; `value`: the state as JSON."""
    number: str = state["tracking_number"]
    headers = _state_headers(number, state["sequence"], state["updated_at"])
    return OutRecord(names.packages, partition, number.encode(), value, headers)


def tombstone(names: TopicNames, partition: int, state: Mapping[str, Any], at: str) -> OutRecord:
    """The end of a number's state, two years after its last event."""
    number: str = state["tracking_number"]
    headers = _state_headers(number, state["sequence"], at)
    return OutRecord(names.packages, partition, number.encode(), None, headers)


def _state_headers(number: str, sequence: int, time: str) -> Headers:
    return record_headers(f"{number}/{sequence}", _PACKAGE_STATE, SOURCE, time, number)
