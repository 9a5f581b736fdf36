import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.errors import RecordRejected
from schemas.event import Channel, event_id, stated_minute, stated_place
from schemas.json_schema import schema_of
from schemas.update import TrackingUpdate
from schemas.usps.callback import parse_envelope
from schemas.usps.flags import FLAGS
from schemas.usps.normalize import Normalized
from schemas.usps.payload import read_payload
from tests.schemas.usps.feed import (
    AMBIGUOUS_NUMBER,
    EXAMPLES,
    JSON,
    RECEIVED_AT,
    REPORTED_AT,
    SUBSCRIPTION_ID,
    TRACKING_NUMBER,
    UPDATE_ID,
    WRONG_CHECK_DIGIT,
    event_of,
    events_of,
    normalized,
    payload_of,
    scan,
)

PERSONAL = ("Ottoline", "Vane", "Quillfeather", "QUILLFEATHER", "0142", "Z9Z8Y8")
VALIDATOR = Draft202012Validator(schema_of(TrackingUpdate))


def assert_is_an_update(found: Normalized) -> None:
    """It is valid, comes out of model and JSON as it went in, and uses known flags."""
    record = found.record
    assert TrackingUpdate.model_validate(record).model_dump(mode="json") == record
    assert orjson.loads(orjson.dumps(record)) == record
    VALIDATOR.validate(record)
    assert set(found.flags) <= FLAGS
    assert found.categories == tuple(event["category"] for event in record["events"])


def texts_in(value: object) -> Iterator[str]:
    """Every text of a JSON value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def from_example(name: str, **changed: Any) -> Normalized:
    """An example as the receiver would read it; its subscription is for a number."""
    callback = parse_envelope((EXAMPLES / f"{name}.json").read_bytes(), [])
    payload, escaped_twice = read_payload(callback.payload)
    facts = {"subscription_id": callback.subscription_id, "subscription_mid": None}
    return normalized(
        payload,
        original=callback.payload,
        escaped_twice=escaped_twice,
        **(facts | changed),
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


def test_the_update_tells_how_it_came() -> None:
    """Ids, channel, times and the verbatim text are those of the callback."""
    found = normalized(payload_of(scan()), original='{"as": "received"}\n')
    record = found.record
    assert (record["update_id"], found.tracking_number) == (UPDATE_ID, TRACKING_NUMBER)
    assert (record["channel"], record["subscription_id"]) == ("webhook", SUBSCRIPTION_ID)
    assert (record["received_at"], record["reported_at"]) == (RECEIVED_AT, REPORTED_AT)
    assert record["original"] == '{"as": "received"}\n'
    assert record["barcode"] == {
        "kind": "impb",
        "mid": "912345678",
        "mid_status": "exact",
        "check_digit_ok": True,
    }
    assert_is_an_update(found)


@pytest.mark.parametrize("reported_at", [None, "yesterday", "2026-05-14T16:45:42", ""])
def test_an_odd_envelope_timestamp_is_no_instant(reported_at: str | None) -> None:
    """Any string may stand there; only an instant is published as one."""
    found = normalized(payload_of(), reported_at=reported_at)
    assert found.record["reported_at"] is None
    assert_is_an_update(found)


@pytest.mark.parametrize(
    "received",
    [
        "420980999205591234567800000011",
        "9205 5912 3456 7800 0000 11",
        "]C1420980999205591234567800000011",
        "(420)98099(92)05591234567800000011",
    ],
)
def test_the_tracking_number_is_the_key_form(received: str) -> None:
    """Without routing, blanks and marks, so that ids meet whatever the feed prints."""
    found = normalized(payload_of(scan(), trackingNumber=received))
    assert found.tracking_number == found.record["tracking_number"] == TRACKING_NUMBER
    assert found.record["events"][0]["event_id"] == event_of(scan())["event_id"]


@pytest.mark.parametrize(
    ("number", "flag"),
    [
        (WRONG_CHECK_DIGIT, "check_digit_wrong"),
        ("12345678", "not_a_barcode"),
        (AMBIGUOUS_NUMBER, "ambiguous_barcode"),
    ],
)
def test_an_odd_number_is_flagged_on_the_update_and_its_events(number: str, flag: str) -> None:
    """It flows all the same, under the subscription's MID."""
    found = normalized(payload_of(scan(), scan(eventCode="MA"), trackingNumber=number))
    assert found.record["flags"] == [flag]
    assert [event["flags"] for event in found.record["events"]] == [[flag], [flag]]
    assert found.flags == (flag,)
    assert found.record["mid"] == "912345678"
    assert_is_an_update(found)


@pytest.mark.parametrize(
    ("stated", "subscribed", "mid", "source"),
    [
        (None, "912345678", "912345678", "subscription"),
        ("", "912345678", "912345678", "subscription"),
        ("912345678", "912345678", "912345678", "feed"),
        (" 912345678 ", "912345678", "912345678", "feed"),
        ("000123456", "123456", "123456", "feed"),
        ("123456", "123456", "123456", "feed"),
        ("000000123", "000123", "000123", "feed"),
        ("912345678", None, "912345678", "feed"),
        ("000123456", None, "123456", "feed"),
        (None, None, None, None),
    ],
)
def test_who_names_the_mid(
    stated: str | None, subscribed: str | None, mid: str | None, source: str | None
) -> None:
    """The feed's own field, if it agrees; else the subscription; six digits may be padded."""
    found = normalized(payload_of(scan(), mailerID=stated), subscription_mid=subscribed)
    assert (found.record["mid"], found.record["mid_source"]) == (mid, source)
    event = found.record["events"][0]
    assert (event["mid"], event["mid_source"]) == (mid, source)
    assert_is_an_update(found)


@pytest.mark.parametrize(
    "stated",
    ["998877665", "123456", "000912345", "9123456780", "mailer", 912345678, ["912345678"], False],
)
def test_another_mailer_id_contradicts_the_subscription(stated: object) -> None:
    """Whether it is a MID or not, it is not the one that the subscription is for."""
    with pytest.raises(RecordRejected) as rejected:
        normalized(payload_of(scan(), mailerID=stated))
    assert rejected.value.reason == "mid_contradiction"


@pytest.mark.parametrize("stated", ["mailer", "12345678", "000912345", 912345678, {}])
def test_a_mailer_id_that_is_none_names_nobody(stated: object) -> None:
    """Without a subscription's MID to contradict, the update has no MID, and says why."""
    found = normalized(payload_of(scan(), mailerID=stated), subscription_mid=None)
    assert (found.record["mid"], found.record["mid_source"]) == (None, None)
    assert found.record["flags"] == ["mid_unreadable"]
    assert_is_an_update(found)


@pytest.mark.parametrize("name", ["mailOwnerMailerID", "logisticsManagerMailerID"])
def test_other_mid_fields_never_contradict(name: str) -> None:
    """They name other parties of the same piece, and stay among its facts."""
    found = normalized(payload_of(scan(), mailerID="912345678", **{name: "998877665"}))
    assert found.record["mid"] == "912345678"
    assert "998877665" in found.record["package"].values()


def test_a_barcode_with_another_mid_is_flagged() -> None:
    """The barcode's MID proves nothing; one that could not be checked is not compared."""
    found = normalized(payload_of(scan()), subscription_mid="998877665")
    assert found.record["flags"] == found.record["events"][0]["flags"] == ["barcode_mid_differs"]
    assert found.record["mid"] == "998877665"
    unsure = normalized(payload_of(trackingNumber=WRONG_CHECK_DIGIT), subscription_mid="998877665")
    assert unsure.record["flags"] == ["check_digit_wrong"]
    assert normalized(payload_of(), subscription_mid=None).record["flags"] == []


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


def test_equal_scans_of_one_history_are_told_apart() -> None:
    """By their count from the oldest: what comes on top changes no id below."""
    history = [scan(), scan(eventType="Restated"), scan(eventCode="OF"), scan()]
    ids = [event["event_id"] for event in events_of(payload_of(*history))]
    assert len(set(ids)) == 4
    for kept in range(1, 4):
        older = events_of(payload_of(*history[kept:]))
        assert [event["event_id"] for event in older] == ids[: 4 - kept]
    first = event_id(TRACKING_NUMBER, "07", "2026-05-14T06:58", "98099")
    second = event_id(TRACKING_NUMBER, "07", "2026-05-14T06:58", "98099", 1)
    assert (ids[0], ids[2]) == (first, second)


@pytest.mark.parametrize(
    "restated",
    [
        scan(eventType="ARRIVED AT UNIT"),
        scan(GMTTimestamp="2026-05-14T13:58:41Z"),
        scan(eventTimestamp="2026-05-14T06:58:41", GMTOffset=None),
        scan(eventTimestamp="2026-05-14T06:58", GMTTimestamp=None),
        scan(eventTimestamp=None),
        scan(eventCity="SEATTLE", eventState=None, eventCountry=None),
        scan(eventZIPCode="98099-0142", reasonCode="10", firm="Vane Ltd"),
    ],
)
def test_the_same_scan_said_otherwise_has_the_same_id(restated: dict[str, Any]) -> None:
    """Text, seconds, attributes and how the time is stated do not make another scan."""
    assert event_of(restated)["event_id"] == event_of(scan())["event_id"]


def test_both_layouts_give_the_same_ids() -> None:
    """A detailed scan of one event is the event of the ordinary history, under any name."""
    ordinary = event_of(scan())
    extra = {"scanEventExtractEventName": "ARRIVAL AT UNIT", "barcodeInputMethod": "0"}
    detailed = payload_of(
        mailerID="912345678", trackingEvents=None, trackingEvent=scan(**extra, eSOL=False)
    )
    (event,) = events_of(detailed)
    assert event["event_id"] == ordinary["event_id"]
    (other_channel,) = events_of(payload_of(scan()), channel=Channel.API, subscription_mid=None)
    assert other_channel["event_id"] == ordinary["event_id"]


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


def test_facts_are_bounded() -> None:
    """A piece has at most 100 facts, however many fields were sent."""
    many = {f"field{number}": number for number in range(10_000)}
    package = normalized(payload_of(**many)).record["package"]
    assert len(package) <= 100
    assert package["status"] == "Out for Delivery"


def test_flags_are_counted_once_each() -> None:
    """Those of the number once, and each event's own."""
    events = [scan(eventCode=1), scan(), scan(eventTimestamp="2026-05-14T06:58:00Z")]
    found = normalized(payload_of(*events, trackingNumber="12345678"))
    assert found.flags == ("not_a_barcode", "local_time_labelled_utc", "field_unreadable")


def test_a_known_field_is_not_replaced() -> None:
    """A field of another spelling does not take the place of USPS's own."""
    first = event_of({"action-code": "evil", **scan(actionCode="A")})
    last = event_of({**scan(actionCode="A"), "action-code": "evil"})
    assert first["attributes"] == last["attributes"] == {"action_code": "A"}
    package = normalized(payload_of(mail_class_code={"a": 1}, MailClassCode="ZZ")).record["package"]
    assert package["mail_class_code"] == "GA"


@pytest.mark.parametrize(
    "name", ["tracking", "tracking_as_published", "detailed_scan", "detailed_scan_as_published"]
)
def test_examples_are_read_and_nobody_is_named(name: str) -> None:
    """Recipient, firm and address of the published shapes stay in the original alone."""
    found = from_example(name)
    record = dict(found.record)
    original = record.pop("original")
    assert "Ottoline Vane" in original
    for text in texts_in(record):
        assert not any(secret in text for secret in PERSONAL), text
    assert_is_an_update(found)


def test_published_shapes_say_what_they_say() -> None:
    """A number that is no barcode, a delivery whose category reads `Accepted`."""
    found = from_example("tracking_as_published")
    (event,) = found.record["events"]
    assert found.tracking_number == "87654321"
    assert found.record["flags"] == ["not_a_barcode", "payload_escaped_twice"]
    assert (event["category"], event["event_text"]) == ("delivered", "Delivered, Front Door/Porch")
    assert found.record["package"]["status_category"] == "Accepted"
    assert event["flags"] == ["not_a_barcode"]
    assert event["attributes"] == {
        "action_code": "A",
        "cod_amount_due": "20.17",
        "event_partner": "SomeCarrier",
        "reason_code": "10",
        "veri_point": True,
    }


def test_all_prints_of_a_scan_have_one_id() -> None:
    """Ordinary, detailed, escaped once more: the same scan."""
    names = ["tracking", "tracking_as_published", "detailed_scan", "detailed_scan_as_published"]
    ids = {from_example(name).record["events"][0]["event_id"] for name in names}
    assert len(ids) == 1


def test_the_detailed_scans_own_mid_is_used() -> None:
    """Its `mailerID` names the MID, agrees with a subscription's, or contradicts it."""
    assert from_example("detailed_scan").record["mid_source"] == "feed"
    agreed = from_example("detailed_scan", subscription_mid="912345678").record
    assert (agreed["mid"], agreed["mid_source"]) == ("912345678", "feed")
    with pytest.raises(RecordRejected, match="MID"):
        from_example("detailed_scan", subscription_mid="998877665")


def test_package_facts_are_as_usps_says() -> None:
    """In snake_case, verbatim, nested ones too; absent ones are null."""
    package = from_example("detailed_scan").record["package"]
    assert package["mail_class"] == "Priority Mail<SUP>&reg;</SUP>"
    assert package["services"] == ["USPS Tracking<SUP>&#174;</SUP>"]
    assert package["delivery_date_expectation"]["expected_delivery_date"] == "2026-05-14"
    assert package["services_eligibility"]["rre_enabled"] is True
    assert (package["origin_city"], package["kahala_indicator"]) == ("ELMHOLLOW", True)
    assert (package["mailer_id"], package["mailer_name"]) == ("912345678", "Northlight Goods")
    assert package["customer_reference_number"] == ["ORD-20417"]
    bare = normalized({"trackingNumber": "1"}).record["package"]
    assert set(bare.values()) == {None}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"mailClass": 7, "status": ["x"], "mailingDate": {}}, {"mail_class": None}),
        ({"services": "USPS Tracking"}, {"services": ["USPS Tracking"]}),
        ({"services": ["a", 1]}, {"services": None}),
        ({"services": {"a": "b"}}, {"services": None}),
        ({"deliveryDateExpectation": "soon"}, {"delivery_date_expectation": None}),
        ({"destinationZIPCode": "98099-0142"}, {"destination_zip_code": "98099"}),
        ({"destinationZIPCode": "Z9Z 8Y8"}, {"destination_zip_code": None}),
        ({"newField": "x"}, {"new_field": "x"}),
    ],
)
def test_facts_of_odd_types_are_absent(
    stated: dict[str, object], expected: dict[str, object]
) -> None:
    """What a reader would stumble over is left to the original."""
    found = normalized(payload_of(scan(), **stated))
    assert found.record["package"].items() >= expected.items()
    assert_is_an_update(found)


@pytest.mark.parametrize(
    "fields",
    [
        {"deliveryAddress": "Quillfeather"},
        {"recipient": {"line1": "Quillfeather"}},
        {"statusSummary": "Signed for by OTTOLINE Vane"},
        {"eventSummaries": ["Delivered to Vane"]},
        {"servicesEligibility": {"recipientPhone": "0142", "RREEnabled": True}},
        {"deliveryDateExpectation": {"instructions": {"leaveWith": "Vane"}}},
        {"trackingEvents": [scan(name="Vane", authorizedAgent="Vane", signatureImage="Vane")]},
        {"trackingEvents": [scan(recipientName="Vane", firm="Quillfeather", neighbor="Vane")]},
        {"trackingEvents": [scan(containers=[{"containerID": "1", "ownerName": "Vane"}])]},
    ],
)
def test_persons_and_addresses_stay_in_the_original(fields: dict[str, object]) -> None:
    """Wherever a field's name tells that it is personal."""
    record = normalized(payload_of(**fields)).record
    for text in texts_in(record):
        assert not any(secret in text for secret in PERSONAL), text


def test_names_of_pydantic_are_names_like_others() -> None:
    """Hostile field names reach no machinery."""
    names = ("model_config", "model_fields", "__class__", "__dict__", "copy", "json", "self")
    found = normalized(payload_of(scan(**dict.fromkeys(names, "x")), **dict.fromkeys(names, "x")))
    assert_is_an_update(found)


def test_a_long_history_is_read_whole() -> None:
    """2,000 events, each with an id of its own."""
    events = events_of(payload_of(*[scan()] * 2_000))
    assert len({event["event_id"] for event in events}) == 2_000


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


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["01", "07", "10", "OF", "MA"]),
            st.sampled_from(["2026-05-14T06:58:00", "2026-05-14T06:59:00", "2026-05-13"]),
            st.sampled_from(["98099", "43099"]),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_ids_do_not_depend_on_order(stated: list[tuple[str, str, str]], random: Any) -> None:
    """However a history is ordered, its scans have the same ids."""
    history = [
        scan(
            eventCode=code,
            eventTimestamp=time,
            GMTTimestamp=None,
            GMTOffset=None,
            eventZIPCode=zip_,
        )
        for code, time, zip_ in stated
    ]
    ids = {event["event_id"] for event in events_of(payload_of(*history))}
    random.shuffle(history)
    assert {event["event_id"] for event in events_of(payload_of(*history))} == ids
    assert len(ids) == len(history)


def test_examples_are_json_of_one_envelope() -> None:
    """What the examples print is what a test may send."""
    for path in EXAMPLES.glob("*.json"):
        assert json.loads(path.read_text())["subscriptionId"] == "987654321"
