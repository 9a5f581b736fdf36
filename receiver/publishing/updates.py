"""The record of an update on its way to `usps.tracking-updates.v1`, whatever feed it is from."""

from typing import Final

import orjson

from receiver.judging.quarantine import SOURCE
from receiver.publishing.door import OutgoingRecord
from schemas.headers import record_headers
from schemas.records import CloudEventType
from schemas.usps.normalize import Normalized

_TYPE: Final = CloudEventType.TRACKING_UPDATE.value


def update_record(topic: str, normalized: Normalized) -> OutgoingRecord:
    """Keyed by tracking number, so that one piece stays in order."""
    number, record = normalized.tracking_number, normalized.record
    headers = record_headers(record["update_id"], _TYPE, SOURCE, record["received_at"], number)
    return OutgoingRecord(topic, number.encode(), orjson.dumps(record), headers)
