"""What is written in place of a spooled record that the broker calls too large."""

from base64 import b64encode

import orjson

from receiver.judging.quarantine import SOURCE
from receiver.publishing.door import OutgoingRecord
from schemas.headers import record_headers
from schemas.records import CloudEventType, QuarantineReason
from schemas.topics import TopicNames


def set_aside(record: OutgoingRecord, topics: TopicNames) -> OutgoingRecord | None:
    """A quarantine record with the callback it came from. None for one of quarantine's own.

    The request's own bytes and headers are gone by then; what USPS signed is in the update.
    """
    if record.topic != topics.tracking_updates:
        return None
    update = orjson.loads(record.value)
    envelope = {
        "subscriptionId": update["subscription_id"],
        "timestamp": update["reported_at"],
        "payload": update["original"],
    }
    value = {
        "reason": QuarantineReason.RECORD_TOO_LARGE.value,
        "received_at": update["received_at"],
        "subscription_id": update["subscription_id"],
        "remote_address": None,
        "headers": {},
        "body_base64": b64encode(orjson.dumps(envelope)).decode(),
        "accepted": True,
        "update_id": update["update_id"],
    }
    headers = record_headers(
        update["update_id"], CloudEventType.QUARANTINE, SOURCE, update["received_at"], None
    )
    key = update["subscription_id"].encode()
    return OutgoingRecord(topics.quarantine, key, orjson.dumps(value), headers)
