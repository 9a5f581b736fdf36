"""The records that a judgement becomes."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from processors.consume import OutRecord
from processors.router.events import RoutedEvent
from processors.router.judge import Judgement, Party
from schemas.clock import rfc3339
from schemas.event import DERIVED_FIELDS
from schemas.headers import GRANT, OUT_OF_ORDER, Headers, record_headers
from schemas.records import CloudEventType, DecisionCause
from schemas.registry.entities import MerchantAccessToken
from schemas.topics import TopicNames

SOURCE: Final = "scanwire/router"
_WITHOUT_DERIVED: Final = dict.fromkeys(DERIVED_FIELDS)


class MerchantRecord(NamedTuple):
    """An event on its way to a merchant's topic; `source_offset`: of the record it came of."""

    merchant: str
    key: bytes
    value: bytes
    headers: Headers
    source_offset: int


class Ruling(NamedTuple):
    """A judged event, and where its record stands."""

    event: RoutedEvent
    judgement: Judgement
    partition: int
    offset: int

    @property
    def key(self) -> bytes:
        """Of every record that it becomes."""
        return self.event.tracking_number.encode()

    def headers(self, suffix: str, record_type: CloudEventType, time: str) -> Headers:
        """With an id that is the same when the record is judged again after a crash."""
        record_id = f"{self.event.event_id}/{self.partition}-{self.offset}{suffix}"
        return record_headers(record_id, record_type, SOURCE, time, self.event.tracking_number)


def merchant_records(ruling: Ruling) -> Iterator[MerchantRecord]:
    """The event as each allowed party may see it."""
    event = ruling.event
    values: dict[bool, bytes] = {}
    for party in ruling.judgement.parties:
        if party.grant is None:
            continue
        value = values.get(party.derived)
        if value is None:
            fields = event.fields if party.derived else event.fields | _WITHOUT_DERIVED
            value = values[party.derived] = orjson.dumps(fields)
        headers = _merchant_headers(event, party.grant, ruling.judgement.cause)
        yield MerchantRecord(str(party.merchant), ruling.key, value, headers, ruling.offset)


def _merchant_headers(event: RoutedEvent, grant: str, cause: DecisionCause) -> Headers:
    headers = record_headers(
        event.event_id, CloudEventType.SCAN_EVENT, SOURCE, event.received_at, event.tracking_number
    )
    headers.append((GRANT, grant.encode()))
    if cause is not DecisionCause.FIRST:
        headers.append((OUT_OF_ORDER, cause.value.encode()))
    return headers


def decision_record(names: TopicNames, ruling: Ruling, revision: int, decided_at: str) -> OutRecord:
    """Who was considered, and what was decided for each."""
    event, judgement = ruling.event, ruling.judgement
    decision: dict[str, Any] = {
        "event_id": event.event_id,
        "tracking_number": event.tracking_number,
        "mid": event.subject.mid,
        "channel": event.subject.channel,
        "received_at": event.received_at,
        "revision": revision,
        "decided_at": decided_at,
        "cause": judgement.cause,
        "parties": [_told(party) for party in judgement.parties],
    }
    if judgement.observed_tokens:
        decision["observed_tokens"] = [_seen(token) for token in judgement.observed_tokens]
    value = orjson.dumps(decision)
    headers = ruling.headers("", CloudEventType.DECISION, decided_at)
    return OutRecord(names.decisions, ruling.partition, ruling.key, value, headers, ruling.offset)


def _told(party: Party) -> dict[str, Any]:
    if party.reason is None:
        return {"merchant": party.merchant, "allowed": True, "grant": party.grant}
    return {"merchant": party.merchant, "allowed": False, "reason": party.reason}


def _seen(token: MerchantAccessToken) -> dict[str, Any]:
    expires_at = None if token.expires_at is None else rfc3339(token.expires_at)
    return {"token": token.id, "state": token.state, "expires_at": expires_at}


def withheld_records(names: TopicNames, ruling: Ruling, withheld_at: str) -> Iterator[OutRecord]:
    """The event, whole, for each party that may not have it yet, and why."""
    for party in ruling.judgement.parties:
        if party.reason is None:
            continue
        value = orjson.dumps(
            {
                "event": orjson.Fragment(ruling.event.raw),
                "merchant": party.merchant,
                "reason": party.reason,
                "withheld_at": withheld_at,
            }
        )
        suffix = f"/{party.merchant or ''}"
        headers = ruling.headers(suffix, CloudEventType.WITHHELD, withheld_at)
        yield OutRecord(names.withheld, ruling.partition, ruling.key, value, headers, ruling.offset)
