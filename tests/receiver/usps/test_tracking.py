"""Lookups: each number gets its answer, however USPS mixes, refuses or forgets it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.tracking import (
    LookupOutcome,
    TrackingApi,
    is_askable,
    parts_of,
    read_answers,
)
from tests.receiver.usps.usps import Desk, Scripted, desk, error_body
from tests.schemas.usps.feed import JSON, payload_of, scan

NUMBERS = [f"TEST{number:08}" for number in range(35)]


def known(at: Desk, numbers: list[str]) -> None:
    """Pieces with a scan each."""
    at.usps.pieces = {one: payload_of(scan(), trackingNumber=one) for one in numbers}


async def outcomes(at: Desk, numbers: list[str]) -> dict[str, str]:
    """By number."""
    answers = await TrackingApi(at.http).look_up(numbers)
    assert sorted(one.tracking_number for one in answers) == sorted(numbers)
    return {one.tracking_number: one.outcome.value for one in answers}


async def test_thirty_five_numbers_are_one_call() -> None:
    """All found: their documents are what USPS said, without the batch's status."""
    async with desk() as at:
        known(at, NUMBERS)
        answers = await TrackingApi(at.http).look_up(NUMBERS)
        assert {one.outcome for one in answers} == {LookupOutcome.FOUND}
        assert answers[0].documents == (payload_of(scan(), trackingNumber=NUMBERS[0]),)
        assert at.usps.batches == [NUMBERS]


async def test_a_mixed_answer_is_read_one_by_one() -> None:
    """207: found, unknown, and nothing yet."""
    async with desk() as at:
        known(at, NUMBERS[:2])
        at.usps.later = {NUMBERS[3]}
        found = await outcomes(at, NUMBERS[:4])
        assert list(found.values()) == ["found", "found", "unknown", "later"]


async def test_a_refused_batch_is_halved_to_the_refused_numbers() -> None:
    """Two of thirty-five without right: the others are fetched, in few calls."""
    async with desk() as at:
        known(at, NUMBERS)
        at.usps.forbidden = {NUMBERS[3], NUMBERS[30]}
        found = await outcomes(at, NUMBERS)
        assert {one for one, outcome in found.items() if outcome == "refused"} == {
            NUMBERS[3],
            NUMBERS[30],
        }
        assert list(found.values()).count("found") == 33
        assert len(at.usps.batches) <= 2 * 2 * 6 + 1


async def test_a_refusal_that_names_a_number_saves_calls() -> None:
    """The named one is asked for alone, the others together."""
    async with desk() as at:
        known(at, NUMBERS)
        at.usps.forbidden, at.usps.names_forbidden = {NUMBERS[7]}, True
        found = await outcomes(at, NUMBERS)
        assert list(found.values()).count("found") == 34
        assert len(at.usps.batches) == 3


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (404, "404", "unknown"),
        (403, "403", "refused"),
        (400, "400", "invalid"),
        (400, "150001", "later"),
        (404, "150009", "later"),
        (400, "150012", "invalid"),
    ],
)
async def test_a_lone_refusal_is_about_its_number(status: int, code: str, outcome: str) -> None:
    """USPS's codes tell what comes later from what never comes."""
    async with desk() as at:
        at.usps.scripted = [Scripted(status, error_body(str(status), "Sample", code=code))]
        assert await outcomes(at, NUMBERS[:1]) == {NUMBERS[0]: outcome}


async def test_what_is_not_about_numbers_ends_it() -> None:
    """A scope that is missing, or USPS being away, is no word about a piece."""
    async with desk() as at:
        at.usps.revoked = {"token-1", "token-2"}
        with pytest.raises(UspsRefused) as refused:
            await TrackingApi(at.http).look_up(NUMBERS)
        assert refused.value.status == 401
        at.usps.scripted = [Scripted(503)] * 9
        with pytest.raises(UspsUnavailable):
            await TrackingApi(at.http).look_up(NUMBERS)


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b"[1, null, []]", b'["x"]'])
async def test_a_200_that_says_nothing_leaves_the_numbers_open(body: bytes) -> None:
    """Not found and not unknown: asking again may help."""
    async with desk() as at:
        at.usps.scripted = [Scripted(200, body)]
        found = await outcomes(at, NUMBERS[:2])
        assert set(found.values()) == {"unreadable"}


def test_numbers_come_back_in_other_spellings() -> None:
    """With blanks or the routing ZIP; a number with two pieces has two documents."""
    number = "9205591234567800000011"
    answers = read_answers(
        [number],
        [
            {"trackingNumber": "4209841192 05591234567800000011", "status": "a"},
            {"trackingNumber": number, "statusCode": 200, "status": "b"},
            {"trackingNumber": "STRANGER0001"},
        ],
    )
    assert [one["status"] for one in answers[0].documents] == ["a", "b"]


def test_a_lone_answer_needs_no_name() -> None:
    """An object, or a list of one, for a single number."""
    for document in ({"status": "x"}, [{"status": "x"}]):
        (answer,) = read_answers(["TEST0001"], document)
        assert answer.outcome is LookupOutcome.FOUND
        assert answer.documents[0]["trackingNumber"] == "TEST0001"


def test_usps_takes_letters_and_digits_only() -> None:
    """4 to 34 of them."""
    assert is_askable("EA123456785US")
    assert not any(map(is_askable, ["abc", "1" * 35, "12 34", "1234\n", "\u0661" * 8]))


@given(st.lists(st.sampled_from(NUMBERS), min_size=2, unique=True), st.text(max_size=40))
def test_parts_lose_no_number(numbers: list[str], said: str) -> None:
    """Two smaller parts, whatever the refusal says."""
    parts = [list(part) for part in parts_of(numbers, said + numbers[0])]
    assert sorted(number for part in parts for number in part) == sorted(numbers)
    assert all(parts)


ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "trackingNumber": st.sampled_from(NUMBERS[:3]) | JSON,
        "statusCode": st.sampled_from(["200", "403", "404", "429", "500", 200]) | JSON,
        "error": JSON,
        "trackingEvents": JSON,
    },
)


@given(JSON | st.lists(ENTRY, max_size=4) | ENTRY)
def test_any_answer_says_something_of_each_number(document: object) -> None:
    """Never an exception; found only with a document that names it."""
    answers = read_answers(NUMBERS[:3], document)
    assert [one.tracking_number for one in answers] == NUMBERS[:3]
    for one in answers:
        assert (one.outcome is LookupOutcome.FOUND) == bool(one.documents)
        assert all(isinstance(each["trackingNumber"], str) for each in one.documents)
