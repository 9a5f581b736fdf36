import pytest

from schemas.errors import RecordRejected
from tests.schemas.usps.feed import (
    AMBIGUOUS_NUMBER,
    RECEIVED_AT,
    REPORTED_AT,
    SUBSCRIPTION_ID,
    TRACKING_NUMBER,
    UPDATE_ID,
    WRONG_CHECK_DIGIT,
    assert_is_an_update,
    event_of,
    from_example,
    normalized,
    payload_of,
    scan,
)


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


def test_flags_are_counted_once_each() -> None:
    """Those of the number once, and each event's own."""
    events = [scan(eventCode=1), scan(), scan(eventTimestamp="2026-05-14T06:58:00Z")]
    found = normalized(payload_of(*events, trackingNumber="12345678"))
    assert found.flags == ("not_a_barcode", "local_time_labelled_utc", "field_unreadable")


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


def test_the_detailed_scans_own_mid_is_used() -> None:
    """Its `mailerID` names the MID, agrees with a subscription's, or contradicts it."""
    assert from_example("detailed_scan").record["mid_source"] == "feed"
    agreed = from_example("detailed_scan", subscription_mid="912345678").record
    assert (agreed["mid"], agreed["mid_source"]) == ("912345678", "feed")
    with pytest.raises(RecordRejected, match="MID"):
        from_example("detailed_scan", subscription_mid="998877665")
