from typing import Any

import pytest

from schemas.event import event_id
from tests.schemas.usps.feed import (
    RECEIVED_AT,
    SUBSCRIPTION_ID,
    TRACKING_NUMBER,
    assert_is_an_update,
    event_of,
    events_of,
    normalized,
    payload_of,
    scan,
)


def test_an_ordinary_event_is_translated() -> None:
    """Each field of USPS's is where our records have it."""
    assert event_of(scan(reasonCode="10", veriPoint=True)) == {
        "event_id": event_id(TRACKING_NUMBER, "07", "2026-05-14T06:58", "98099"),
        "tracking_number": TRACKING_NUMBER,
        "mail_kind": "package",
        "event_code": "07",
        "event_text": "Arrived at Post Office",
        "category": "arrived",
        "event_time": "2026-05-14T13:58:00Z",
        "event_local_time": "2026-05-14T06:58:00",
        "utc_offset": "-07:00",
        "time_precision": "second",
        "time_basis": "gmt_field",
        "city": "PORT CEDAR",
        "state": "WA",
        "zip": "98099",
        "country": "US",
        "facility": None,
        "attributes": {"reason_code": "10", "veri_point": True},
        "flags": [],
        "mid": "912345678",
        "mid_source": "subscription",
        "channel": "webhook",
        "subscription_id": SUBSCRIPTION_ID,
        "received_at": RECEIVED_AT,
    }


@pytest.mark.parametrize(
    ("zip_text", "expected"),
    [
        ("98099", "98099"),
        (" 98099 ", "98099"),
        ("98099-0142", "98099"),
        ("980990142", "98099"),
        ("K1A 0B1", None),
        ("9809", None),
        ("98099-", None),
        ("98099 0142", None),
        ("\u0669\u0668\u0660\u0669\u0669", None),
    ],
)
def test_zips_have_five_digits(zip_text: str, expected: str | None) -> None:
    """ZIP+4 is cut; what is no ZIP stays among the attributes, and the city is the place."""
    event = event_of(scan(eventZIPCode=zip_text))
    kept = {} if expected else {"event_zip_code": zip_text}
    assert (event["zip"], event["attributes"]) == (expected, kept)
    place = expected or "PORT CEDAR"
    assert event["event_id"] == event_id(TRACKING_NUMBER, "07", "2026-05-14T06:58", place)


@pytest.mark.parametrize(
    ("code", "text", "category"),
    [
        ("01", "Accepted", "delivered"),
        ("of", "anything", "out_for_delivery"),
        (" OF ", "anything", "out_for_delivery"),
        ("Q9", "Delivered, Front Door/Porch", "unknown"),
        ("", "Delivered", "unknown"),
        (None, "Delivered", "unknown"),
        ("1", "Delivered", "unknown"),
    ],
)
def test_only_the_code_gives_the_category(code: str | None, text: str, category: str) -> None:
    """Never the words; an unknown or missing code is `unknown` and flows."""
    event = event_of(scan(eventCode=code, eventType=text))
    assert event["category"] == category
    assert event["event_code"] == (code or "").strip().upper()
    assert event["event_text"] == text


def test_the_text_may_be_the_detailed_scans_name() -> None:
    """Where there is no eventType; else the name is an attribute beside."""
    name = "PROCESSED THROUGH FACILITY"
    bare = event_of(scan(eventType=None, scanEventExtractEventName=name))
    both = event_of(scan(scanEventExtractEventName=name))
    assert bare["event_text"] == name
    assert both["event_text"] == "Arrived at Post Office"
    assert both["attributes"] == {"scan_event_extract_event_name": name}


def test_events_are_written_oldest_first() -> None:
    """USPS lists the newest first; readers of the stream get them in order."""
    codes = [event["event_code"] for event in events_of(payload_of(*map_codes("OF", "07", "MA")))]
    assert codes == ["MA", "07", "OF"]


def map_codes(*codes: str) -> list[dict[str, Any]]:
    """One scan per code."""
    return [scan(eventCode=code) for code in codes]


@pytest.mark.parametrize(
    ("stated", "flags", "attributes"),
    [
        ({"eventCity": 7, "eventState": ["WA"]}, ["field_unreadable"], {}),
        ({"eventCode": 7, "eventType": {}}, ["field_unreadable"], {}),
        ({"eventZIPCode": 98099}, ["field_unreadable"], {}),
        ({"actionCode": {"a": 1}, "containers": "99M"}, ["field_unreadable"], {}),
        ({"eventPartner": "x" * 257}, ["field_unreadable"], {}),
        ({"eventTimestamp": 1778771400}, ["time_unreadable"], {}),
        (
            {"eventTimestamp": "noon", "GMTTimestamp": "noon"},
            ["time_unreadable"],
            {"event_timestamp_text": "noon", "gmt_timestamp_text": "noon"},
        ),
        ({"eventTimestamp": "2026-05-14T06:58:00Z"}, ["local_time_labelled_utc"], {}),
        (
            {"eventTimestamp": None, "GMTOffset": "PDT"},
            ["offset_unreadable"],
            {"gmt_offset_text": "PDT"},
        ),
        ({"GMTTimestamp": "2026-05-14T11:58:00Z"}, ["time_contradiction"], {}),
        (
            {"GMTTimestamp": "2026-05-18T13:58:00Z", "eventTimestamp": None},
            ["time_in_future"],
            {},
        ),
        ({"GMTTimestamp": None, "eventTimestamp": "2027-05-14"}, ["time_in_future"], {}),
    ],
)
def test_oddities_of_an_event_are_flagged(
    stated: dict[str, object], flags: list[str], attributes: dict[str, object]
) -> None:
    """A field of the wrong type counts as absent; nothing odd stops an event."""
    found = normalized(payload_of({**scan(), **stated}))
    (event,) = found.record["events"]
    assert (event["flags"], event["attributes"]) == (flags, attributes)
    assert (found.record["flags"], found.flags) == ([], tuple(flags))
    assert_is_an_update(found)


def test_what_else_the_feed_says_are_attributes() -> None:
    """Known fields under their names, new ones in snake_case, containers by their two fields."""
    event = scan(
        actionCode="A",
        CODAmountDue="50.99",
        eventPartner="SomeCarrier",
        eSOL=False,
        containers=[{"containerID": "99M1", "containerType": "PL", "openedBy": {"name": "Vane"}}],
        attributeCode="02",
        flatCount=3,
        routeNumbers=["C1", "C2"],
        weightLbs=1.5,
        reasonCode="",
        note=None,
        nested={"a": 1},
        mixed=["a", {"b": 1}],
        longText="x" * 257,
    )
    assert event_of(event)["attributes"] == {
        "action_code": "A",
        "cod_amount_due": "50.99",
        "event_partner": "SomeCarrier",
        "e_sol": False,
        "containers": [{"container_id": "99M1", "container_type": "PL"}],
        "attribute_code": "02",
        "flat_count": 3,
        "route_numbers": ["C1", "C2"],
        "weight_lbs": 1.5,
    }


def test_attributes_are_bounded() -> None:
    """At most 50 of an event, with short names and values, however many were sent."""
    many = {f"field{number}": number for number in range(10_000)} | {"y" * 65: 1}
    attributes = event_of(scan(**many, actionCode="A", reasonCode="10"))["attributes"]
    assert len(attributes) <= 50
    assert {"action_code", "reason_code"} <= attributes.keys()
    assert all(len(name) <= 64 for name in attributes)


@pytest.mark.parametrize("containers", ["99M1", ["99M1"], [{"containerID": "99M1"}, 7], [{}] * 11])
def test_odd_containers_are_flagged(containers: object) -> None:
    """At most ten objects are containers; whatever else there is, the event flows."""
    event = event_of(scan(containers=containers))
    assert event["flags"] == ["field_unreadable"]
    assert len(event["attributes"].get("containers", [])) <= 10


def test_a_known_field_is_not_replaced() -> None:
    """A field of another spelling does not take the place of USPS's own."""
    first = event_of({"action-code": "evil", **scan(actionCode="A")})
    last = event_of({**scan(actionCode="A"), "action-code": "evil"})
    assert first["attributes"] == last["attributes"] == {"action_code": "A"}
    package = normalized(payload_of(mail_class_code={"a": 1}, MailClassCode="ZZ")).record["package"]
    assert package["mail_class_code"] == "GA"
