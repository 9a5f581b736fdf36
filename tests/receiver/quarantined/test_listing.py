"""What the tool tells of what was set aside, and of what it does not tell."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.quarantined.kept import Kept, Names, Position, Selection
from receiver.quarantined.listing import Listing, detail_lines, details, printable
from schemas.records import QuarantineReason
from tests.receiver.quarantined.kept import read_back, set_aside
from tests.receiver.world import SECRET, SUBSCRIPTION_ID, callback

NAMES = Names({SUBSCRIPTION_ID: "acme-webhook", "given-id": "acme-webhook", "other": "beta"})


def kept_of(count: int, **changed: Any) -> list[Kept]:
    """So many records, a second apart."""
    values = [
        {
            "reason": "signature_mismatch",
            "received_at": f"2026-05-14T15:42:{second:02}.000Z",
            "subscription_id": SUBSCRIPTION_ID,
            "remote_address": "192.0.2.7",
            "headers": {"x-hmac": "c2ln"},
            "body_base64": "e30=",
            "accepted": False,
            "update_id": None,
        }
        | changed
        for second in range(count)
    ]
    return read_back(values)


async def test_a_listing_has_no_body_and_no_headers() -> None:
    """Reason, receipt, subscription and size; counts by reason."""
    body, headers = callback({"trackingNumber": "1", "firm": "Vane Ltd"})
    _, kept = await set_aside((body, []), (body, headers), callback(subscription_id="\x1b[2J"))
    listing = Listing(NAMES, 10)
    for one in kept:
        listing.take(one)
    document = listing.document()
    assert document["total"] == 2
    assert document["counts"] == {"signature_missing": 1, "unknown_subscription": 1}
    assert document["records"][0] == {
        "id": "0-0",
        "reason": "signature_missing",
        "received_at": "2026-05-14T15:42:10.000Z",
        "subscription_id": SUBSCRIPTION_ID,
        "subscription": "acme-webhook",
        "accepted": False,
        "update_id": None,
        "body_bytes": len(body),
    }
    text = "\n".join(listing.lines())
    assert "Vane" not in text
    assert "\x1b" not in text
    assert "1 signature_missing, 1 unknown_subscription; 2 in all" in text


def test_a_long_listing_keeps_the_newest() -> None:
    """All are counted; so many are told one by one, oldest first."""
    listing = Listing(NAMES, 3)
    for kept in reversed(kept_of(10)):
        listing.take(kept)
    document = listing.document()
    assert [told["id"] for told in document["records"]] == ["0-7", "0-8", "0-9"]
    assert (document["total"], document["left_off"]) == (10, 7)
    assert "7 older ones are left off" in next(listing.lines())


def test_an_empty_listing_says_so() -> None:
    """Nothing, and a limit of none."""
    assert list(Listing(NAMES, 0).lines()) == ["nothing; 0 in all"]


def test_details_have_headers_and_no_secret() -> None:
    """A header that holds one of our secrets, as some senders have it, is not shown."""
    headers = {"x-hmac": "c2ln", "x-token": f"Bearer {SECRET.decode()}", "x-odd": "\x1b[2J"}
    [kept] = kept_of(1, headers=headers)
    told = details(kept, NAMES, [SECRET.decode()])
    assert told["headers"] == {"x-hmac": "c2ln", "x-token": "(holds a secret)", "x-odd": "\x1b[2J"}
    lines = "\n".join(detail_lines(told))
    assert "remote_address: 192.0.2.7" in lines
    assert "  x-odd: \\x1b[2J" in lines
    assert "e30=" not in lines


@pytest.mark.parametrize(
    ("selection", "seconds"),
    [
        (Selection(), [0, 1, 2]),
        (Selection(frozenset({QuarantineReason.SIGNATURE_MISMATCH})), [0, 1, 2]),
        (Selection(frozenset({QuarantineReason.TIMESTAMP_STALE})), []),
        (Selection(subscription_ids=NAMES.ids_of("acme-webhook")), [0, 1, 2]),
        (Selection(subscription_ids=NAMES.ids_of(SUBSCRIPTION_ID)), [0, 1, 2]),
        (Selection(subscription_ids=NAMES.ids_of("beta")), []),
    ],
)
def test_a_selection_by_reason_and_subscription(selection: Selection, seconds: list[int]) -> None:
    """By our name, which may have several ids, or by USPS's id."""
    assert [one.position.offset for one in kept_of(3) if selection.takes(one)] == seconds


def test_a_selection_by_receipt() -> None:
    """Since is inclusive, until is not."""
    kept = kept_of(3)
    second = kept[1].request.received
    assert [Selection(since=second).takes(one) for one in kept] == [False, True, True]
    assert [Selection(until=second).takes(one) for one in kept] == [True, False, False]
    later = second + timedelta(seconds=1)
    assert [Selection(since=second, until=later).takes(one) for one in kept] == [False, True, False]


def test_names_of_nobody_are_ids() -> None:
    """What is no name of ours is taken for an id, which need not be declared."""
    assert NAMES.ids_of("acme-webhook") == {SUBSCRIPTION_ID, "given-id"}
    assert NAMES.ids_of("stranger") == {"stranger"}


@pytest.mark.parametrize("text", ["", "3", "3-", "-4", "a-b", "3-4-5", "\u0663-4", "1" * 10 + "-1"])
def test_ids_have_one_form(text: str) -> None:
    """Partition and offset in digits."""
    with pytest.raises(ValueError, match="PARTITION-OFFSET"):
        Position.of(text)


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**18 - 1))
def test_an_id_is_read_as_written(partition: int, offset: int) -> None:
    """Round trip."""
    assert Position.of(str(Position(partition, offset))) == (partition, offset)


@given(st.none() | st.binary(max_size=200))
def test_records_of_others_are_passed_over(value: bytes | None) -> None:
    """Whatever else somebody writes to the topic is none of ours."""
    record: Any = SimpleNamespace(partition=0, offset=0, value=value)
    assert Kept.of(record) is None


@pytest.mark.parametrize("changed", [{"body_base64": "?"}, {"received_at": "2026-13-01T00:00:00Z"}])
def test_records_that_cannot_be_read_are_passed_over(changed: dict[str, str]) -> None:
    """A body that is no Base64 and a time that is none."""
    value = kept_of(1)[0].quarantined.model_copy(update=changed).model_dump_json().encode()
    record: Any = SimpleNamespace(partition=0, offset=0, value=value)
    assert Kept.of(record) is None


@given(st.text())
def test_a_terminal_obeys_nothing(text: str) -> None:
    """Any text comes out printable."""
    assert printable(text).isprintable()
