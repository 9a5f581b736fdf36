from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RecordRejected
from schemas.event import event_id, stated_minute, stated_place
from tests.schemas.usps.feed import (
    JSON,
    TRACKING_NUMBER,
    assert_is_an_update,
    normalized,
    payload_of,
    scan,
)


def test_names_of_pydantic_are_names_like_others() -> None:
    """Hostile field names reach no machinery."""
    names = ("model_config", "model_fields", "__class__", "__dict__", "copy", "json", "self")
    found = normalized(payload_of(scan(**dict.fromkeys(names, "x")), **dict.fromkeys(names, "x")))
    assert_is_an_update(found)


FIELD_NAMES = st.sampled_from(
    [
        *("eventCode", "eventType", "eventTimestamp", "GMTTimestamp", "GMTOffset", "eventCity"),
        *("eventState", "eventZIPCode", "eventZIP", "eventCountry", "actionCode", "containers"),
        *("recipientName", "scanEventExtractEventName", "eSOL"),
    ]
)


EVENTS = st.lists(st.dictionaries(FIELD_NAMES | st.text(max_size=12), JSON, max_size=8), max_size=5)


PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "trackingNumber": st.sampled_from([TRACKING_NUMBER, "12345678"]) | JSON,
        "mailerID": st.sampled_from(["912345678", "123456", "000123456", ""]) | JSON,
        "trackingEvents": EVENTS | JSON,
        "trackingEvent": JSON,
        "services": JSON,
        "deliveryDateExpectation": JSON,
        "servicesEligibility": JSON,
        "destinationZIPCode": JSON,
        "statusSummary": JSON,
        "mailClass": JSON,
        "RREEnabled": JSON,
        "expectedDeliveryDate": JSON,
        "customerReferenceNumber": JSON,
    },
)


def answer_to(payload: dict[str, Any], subscription_mid: str | None) -> str:
    """`read`, checked, or why the payload is refused."""
    try:
        found = normalized(payload, subscription_mid=subscription_mid)
    except RecordRejected as rejected:
        return rejected.reason
    assert_is_an_update(found)
    assert normalized(payload, subscription_mid=subscription_mid) == found
    for event in found.record["events"]:
        first = event_id(
            found.tracking_number, event["event_code"], stated_minute(event), stated_place(event)
        )
        ids = [one["event_id"] for one in found.record["events"]]
        assert first in ids
    return "read"


@settings(deadline=None, max_examples=300)
@given(PAYLOADS | st.dictionaries(st.text(), JSON), st.sampled_from(["912345678", None]))
def test_any_object_has_an_answer(payload: dict[str, Any], subscription_mid: str | None) -> None:
    """Whatever a verified callback holds, it is a valid update or one named refusal."""
    payload = orjson.loads(orjson.dumps(payload))
    assert answer_to(payload, subscription_mid) in {
        "read",
        "payload_unreadable",
        "mid_contradiction",
    }
