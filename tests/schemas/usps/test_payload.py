import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RecordRejected
from schemas.usps.callback import parse_envelope
from schemas.usps.payload import MAX_EVENTS, in_v3r2_layout, read_payload
from tests.schemas.usps.feed import EXAMPLES, JSON, payload_of, scan

PAYLOAD = {"trackingNumber": "87654321", "status": 'Left "here"', "note": "a\\b\n\u00e9"}
TEXT = orjson.dumps(PAYLOAD).decode()


def escaped(text: str) -> str:
    """The text with its quotes and backslashes escaped once more."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n"])
def test_a_payload_is_read(end: str) -> None:
    """The text of a JSON object, with a line end or without."""
    assert read_payload(TEXT + end) == (PAYLOAD, False)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n"])
def test_a_payload_escaped_once_more_is_read(end: str) -> None:
    """As USPS's published examples print it; and it is told, for a flag."""
    assert read_payload(escaped(TEXT) + end) == (PAYLOAD, True)


def test_a_payload_as_a_json_string_is_read() -> None:
    """Escaped once more with its outer quotes, as a second encoding leaves it."""
    assert read_payload(orjson.dumps(TEXT).decode()) == (PAYLOAD, True)


@pytest.mark.parametrize("name", ["tracking", "detailed_scan"])
def test_both_prints_of_an_example_say_the_same(name: str) -> None:
    """The published shape, escaped once more and with a line end, is the plain one."""
    plain = parse_envelope((EXAMPLES / f"{name}.json").read_bytes(), [])
    printed = parse_envelope((EXAMPLES / f"{name}_as_published.json").read_bytes(), [])
    assert printed.payload.endswith("}]}\n")
    assert printed.payload.startswith('{\\"trackingNumber\\":')
    assert read_payload(printed.payload) == (read_payload(plain.payload)[0], True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "{",
        "null",
        "[]",
        "7",
        "text",
        '"text"',
        '"[1]"',
        escaped(escaped(TEXT)),
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        "\ud800",
        '{"a": ' * 2_000 + "1" + "}" * 2_000,
        "{'trackingNumber': '1'}",
        TEXT + TEXT,
    ],
)
def test_what_is_no_object_is_unreadable(text: str) -> None:
    """Other JSON, broken JSON, and JSON escaped more than once more."""
    with pytest.raises(RecordRejected) as rejected:
        read_payload(text)
    assert rejected.value.reason == "payload_unreadable"


@pytest.mark.parametrize(
    "number", [None, "", " ", "1" * 65, "a\nb\x00", "\u202e1", 87654321, ["1"], {"a": 1}, True]
)
def test_a_payload_needs_a_tracking_number(number: object) -> None:
    """One to 64 printable characters; else nobody can tell the piece."""
    with pytest.raises(RecordRejected) as rejected:
        in_v3r2_layout(payload_of(trackingNumber=number))
    assert rejected.value.reason == "payload_unreadable"


@pytest.mark.parametrize("number", ["1", "x" * 64, "\u00c6-7", "9205 5123 4567 8000 0000 11"])
def test_any_printable_tracking_number_flows(number: str) -> None:
    """A barcode or not."""
    assert in_v3r2_layout(payload_of(trackingNumber=number))[0]["trackingNumber"] == number


@pytest.mark.parametrize("events", ["text", 7, [1], [None], [[]], [scan(), "x"], True])
@pytest.mark.parametrize("name", ["trackingEvents", "trackingEvent"])
def test_events_must_be_objects(name: str, events: object) -> None:
    """What is no object cannot be a scan event."""
    with pytest.raises(RecordRejected) as rejected:
        in_v3r2_layout({"trackingNumber": "1", name: events})
    assert rejected.value.reason == "payload_unreadable"


def test_a_history_has_an_end() -> None:
    """USPS says 99 events at most; 2,000 are read, and more are refused."""
    assert len(in_v3r2_layout(payload_of(*[{}] * MAX_EVENTS))[1]) == MAX_EVENTS
    with pytest.raises(RecordRejected, match="2000"):
        in_v3r2_layout(payload_of(*[{}] * (MAX_EVENTS + 1)))


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ({}, []),
        ({"trackingEvents": None}, []),
        ({"trackingEvents": []}, []),
        ({"trackingEvents": [scan(), scan()]}, [scan(), scan()]),
        ({"trackingEvents": scan()}, [scan()]),
        ({"trackingEvent": scan()}, [scan()]),
        ({"trackingEvent": [scan()]}, [scan()]),
        ({"trackingEvent": None, "trackingEvents": [scan()]}, [scan()]),
        (
            {"trackingEvent": scan(eventCode="01"), "trackingEvents": [scan()]},
            [scan(eventCode="01"), scan()],
        ),
        ({"trackingEvent": scan(), "trackingEvents": [scan(), scan()]}, [scan(), scan()]),
    ],
)
def test_events_are_found_in_every_layout(fields: dict[str, object], events: list[object]) -> None:
    """A list, a single object or both, under either name; a scan in both counts once."""
    assert in_v3r2_layout({"trackingNumber": "1", **fields})[1] == events


def test_names_of_v3_become_those_of_v3r2() -> None:
    """Fields that v3 calls otherwise, or has at the top, are where v3r2 has them."""
    payload, _ = in_v3r2_layout(
        {
            "trackingNumber": "1",
            "originZIP": "43099",
            "destinationZIP": "98099",
            "destinationCountryCode": "US",
            "uniqueMailPieceId": "77",
            "mailPieceIntakeDate": "2026-05-11",
            "associatedLabel": "2",
            "expectedDeliveryTimeStamp": "2026-05-14T20:00:00",
            "predictedDeliveryDate": "2026-05-14",
            "predictedDeliveryWindowStartTime": "1:15pm",
            "guaranteedDeliveryTimeStamp": "2026-05-15T18:00:00",
            "proofOfDeliveryEnabled": "false",
            "RREEnabled": True,
        }
    )
    assert payload == {
        "trackingNumber": "1",
        "originZIPCode": "43099",
        "destinationZIPCode": "98099",
        "destinationCountry": "US",
        "uniqueTrackingID": "77",
        "mailingDate": "2026-05-11",
        "associatedTrackingNumber": "2",
        "deliveryDateExpectation": {
            "expectedDeliveryDate": "2026-05-14T20:00:00",
            "predictedDeliveryDate": "2026-05-14",
            "predictedDeliveryWindowStartTime": "1:15pm",
            "guaranteedDeliveryDate": "2026-05-15T18:00:00",
        },
        "servicesEligibility": {"proofOfDeliveryEnabled": "false", "RREEnabled": True},
    }


def test_names_of_v3r2_win() -> None:
    """Where a payload has both names, what v3r2 calls it counts."""
    payload, _ = in_v3r2_layout(
        {
            "trackingNumber": "1",
            "originZIP": "11111",
            "originZIPCode": "43099",
            "endOfDay": "by noon",
            "deliveryDateExpectation": {"endOfDay": "by 9:00 pm"},
            "RREEnabled": True,
            "servicesEligibility": "none",
        }
    )
    assert payload["originZIPCode"] == "43099"
    assert payload["deliveryDateExpectation"] == {"endOfDay": "by 9:00 pm"}
    assert payload["servicesEligibility"] == {"RREEnabled": True}


def test_events_of_v3_have_their_zip_renamed() -> None:
    """`eventZIP` is `eventZIPCode`, and the order stays."""
    _, events = in_v3r2_layout(payload_of({"eventZIP": "98099"}, {"eventZIPCode": "43099"}))
    assert events == [{"eventZIPCode": "98099"}, {"eventZIPCode": "43099"}]


def test_what_was_parsed_is_left_as_it_was() -> None:
    """Translating names makes copies."""
    payload = payload_of({"eventZIP": "98099"}, originZIP="43099")
    before = orjson.dumps(payload)
    in_v3r2_layout(payload)
    assert orjson.dumps(payload) == before


def test_deep_values_are_compared_by_nobody() -> None:
    """A scan under both names whose values nest as deep as a parser allows is read."""
    deep = orjson.loads("[" * 1_000 + "]" * 1_000)
    event, twin = scan(containers=deep), scan(containers=orjson.loads("[" * 1_000 + "]" * 1_000))
    payload = {"trackingNumber": "1", "trackingEvent": event, "trackingEvents": [twin]}
    assert len(in_v3r2_layout(payload)[1]) == 1


def answer_to(text: str) -> str:
    """`read`, or why the payload is refused."""
    try:
        read_payload(text)
    except RecordRejected as rejected:
        return rejected.reason
    return "read"


@settings(deadline=None)
@given(st.text() | JSON.map(lambda value: orjson.dumps(value).decode()))
def test_any_text_has_an_answer(text: str) -> None:
    """Whatever the payload is, it is read or unreadable."""
    assert answer_to(text) in {"read", "payload_unreadable"}


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON))
def test_escaping_once_more_changes_nothing(payload: dict[str, object]) -> None:
    """Any object comes out the same from both prints."""
    text = orjson.dumps(payload).decode()
    assert read_payload(escaped(text))[0] == read_payload(text)[0]
