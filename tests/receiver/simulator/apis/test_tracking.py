"""The Tracking API tells each package's true history so far, with the callbacks' event ids."""

from typing import Any

import orjson

from receiver.simulator.apis.oddities import ApiOddity
from schemas.clock import rfc3339
from schemas.event import Channel
from schemas.usps.callback import parse_envelope, verify
from schemas.usps.normalize import normalize
from tests.receiver.simulator.apis.document import fits
from tests.receiver.simulator.apis.world import (
    FOREIGN_MID,
    MID,
    SECRET,
    SUBSCRIPTIONS,
    TRACKING,
    World,
    new_subscription,
    world,
)

UNKNOWN = "9205591234567899999994"


def event_ids(payload: dict[str, Any], usps: World, channel: Channel) -> set[str]:
    """What the receiver makes of a payload."""
    now = usps.clock.now()
    update = normalize(
        payload,
        channel=channel,
        update_id="",
        subscription_id=None,
        subscription_mid=MID if channel is Channel.WEBHOOK else None,
        received_at=rfc3339(now),
        received=now,
        reported_at=None,
        original="",
    )
    return {event["event_id"] for event in update.record["events"]}


async def test_answers_are_the_callbacks_histories() -> None:
    """After any number of callbacks, a lookup gives exactly the event ids told so far."""
    async with world(calls_per_hour=10_000) as usps:
        await usps.client.subscribe(usps.listener.url)
        for _ in range(5):
            await usps.box.tell(17)
            told: dict[str, set[str]] = {}
            for headers, body in usps.listener.requests:
                callback = parse_envelope(body, headers)
                verify(callback, [SECRET.encode()])
                payload = orjson.loads(callback.payload)
                ids = event_ids(payload, usps, Channel.WEBHOOK)
                told.setdefault(payload["trackingNumber"], set()).update(ids)
            answered = await usps.client.track(*list(told)[:35])
            assert answered.status == 200
            for detail in answered.body:
                ids = event_ids(detail, usps, Channel.API)
                assert ids == told[detail["trackingNumber"]]


async def test_pieces_travel_before_anybody_subscribes() -> None:
    """What nobody was called for is in the history all the same."""
    async with world() as usps:
        assert await usps.box.tell(40) == 40
        assert usps.listener.requests == []
        numbers = usps.box.usps.histories.numbers
        answered = await usps.client.track(*numbers)
        events = sum(len(detail["trackingEvents"]) for detail in answered.body)
        assert events == 40


async def test_unknown_numbers_are_a_404_alone_and_a_207_among_others() -> None:
    """A mixed answer has a status for each, in the order asked."""
    async with world() as usps:
        await usps.box.tell(20)
        known = usps.box.usps.histories.numbers[0]
        assert (await usps.client.track(known)).status == 200
        assert (await usps.client.track(UNKNOWN)).status == 404
        mixed = await usps.client.track(UNKNOWN, known)
        assert mixed.status == 207
        assert [item["statusCode"] for item in mixed.body] == ["404", "200"]
        assert [item["trackingNumber"] for item in mixed.body] == [UNKNOWN, known]


async def test_mailing_date_and_zip_tell_pieces_apart() -> None:
    """A piece of another day or destination is not the one asked for."""
    async with world() as usps:
        await usps.box.tell(20)
        number = usps.box.usps.histories.numbers[0]
        (detail,) = (await usps.client.track(number)).body
        day, zip_code = detail["mailingDate"], detail["destinationZIPCode"]
        fitting = {"mailingDate": day, "destinationZIPCode": zip_code}
        assert (await usps.client.track(number, **fitting)).status == 200
        assert (await usps.client.track(number, mailingDate="2020-01-31")).status == 404
        assert (await usps.client.track(number, destinationZIPCode="00000")).status == 404


async def test_wrong_lookups_are_refused() -> None:
    """One to 35 numbers of 4 to 34 letters and digits, and nothing undeclared."""
    wrong: list[Any] = [
        [],
        [{"trackingNumber": UNKNOWN}] * 36,
        [{}],
        [{"trackingNumber": "abc"}],
        [{"trackingNumber": "9" * 35}],
        [{"trackingNumber": 92055912345678}],
        [{"trackingNumber": UNKNOWN, "expand": "DETAIL"}],
        [{"trackingNumber": UNKNOWN, "destinationZIPCode": "1234"}],
        [{"trackingNumber": UNKNOWN, "mailingDate": 7}],
        [{"trackingNumber": UNKNOWN, "mailingDate": None}],
        [{"trackingNumber": UNKNOWN, "destinationZIPCode": None}],
        {"trackingNumber": UNKNOWN},
    ]
    schema = {"$ref": "#/components/schemas/TrackingItem"}
    async with world() as usps:
        for asked in wrong:
            if isinstance(asked, list) and len(asked) == 1:
                assert not fits(schema, asked[0])
            refused = await usps.client.call("POST", TRACKING, asked, valid=False)
            assert refused.status == 400
        for day in ("2026-02-30", "20260214", "yesterday"):
            asked = [{"trackingNumber": UNKNOWN, "mailingDate": day}]
            assert (await usps.client.call("POST", TRACKING, asked)).status == 400


async def test_unauthorised_mids_refuse_a_whole_lookup() -> None:
    """One foreign number among many is a 403 for all of them."""
    async with world(ApiOddity.UNAUTHORISED_MIDS_403) as usps:
        await usps.box.tell(20)
        known, foreign = usps.box.usps.histories.numbers[0], f"92055{FOREIGN_MID}00000017"
        assert (await usps.client.track(known, foreign)).status == 403
        assert (await usps.client.track(known)).status == 200


async def test_unauthorised_mids_can_be_told_one_by_one() -> None:
    """The other form: a 207 with a 403 inside; alone it is a 403."""
    async with world(ApiOddity.UNAUTHORISED_NUMBERS_207) as usps:
        await usps.box.tell(20)
        known, foreign = usps.box.usps.histories.numbers[0], f"92055{FOREIGN_MID}00000017"
        mixed = await usps.client.track(known, foreign)
        assert [item["statusCode"] for item in mixed.body] == ["200", "403"]
        assert (await usps.client.track(foreign)).status == 403


async def test_subscriptions_by_number_are_told_of_that_number() -> None:
    """A number that travels already, and one that begins to because somebody asked."""
    async with world() as usps:
        await usps.box.tell(5)
        under_way = usps.box.usps.histories.numbers[-1]
        for number in (under_way, "LZ123456789US"):
            asked = new_subscription(usps.listener.url) | {
                "filterProperties": {"trackingNumber": number}
            }
            assert (await usps.client.call("POST", SUBSCRIPTIONS, asked)).status == 201
        told: set[str] = set()
        while len(told) < 2:
            await usps.box.tell(10)
            bodies = (orjson.loads(body) for _, body in usps.listener.requests)
            told = {orjson.loads(body["payload"])["trackingNumber"] for body in bodies}
        assert told == {under_way, "LZ123456789US"}
