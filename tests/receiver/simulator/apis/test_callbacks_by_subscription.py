"""From a subscription created over HTTP to verified callbacks at its listener."""

import asyncio

import aiohttp
import orjson

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.usps import Terms
from receiver.simulator.box import Plan, usps_in_a_box
from receiver.simulator.outgoing import Fault
from schemas.clock import SystemClock
from schemas.usps.callback import parse_envelope, verify
from tests.receiver.fakes import FakeClock
from tests.receiver.simulator.apis.world import (
    MID,
    SECRET,
    Client,
    listening,
    new_subscription,
    world,
)

_THOUSAND_DAYS = 86_400 * 1_000.0


async def test_callbacks_arrive_signed_with_the_subscriptions_secret() -> None:
    """Create, and what happens is told: enveloped, verified, under the subscription's id."""
    async with world() as usps:
        one = (await usps.client.subscribe(usps.listener.url)).body["subscriptionId"]
        await usps.box.tell(30)
        assert len(usps.listener.requests) == 30
        for headers, body in usps.listener.requests:
            callback = parse_envelope(body, headers)
            verify(callback, [SECRET.encode()])
            assert callback.subscription_id == one
        assert usps.box.truth.tally.answers == {"accepted": 30}


async def test_a_changed_secret_and_url_hold_from_the_next_callback_on() -> None:
    """After a PUT nothing is signed with the old secret any more."""
    async with world() as usps, listening() as other:
        created = await usps.client.subscribe(usps.listener.url)
        await usps.box.tell(5)
        asked = new_subscription(other.url) | {"secret": "n" * 32}
        await usps.client.change(created.body["subscriptionId"], created.etag, asked)
        await usps.box.tell(5)
        assert (len(usps.listener.requests), len(other.requests)) == (5, 5)
        for headers, body in other.requests:
            verify(parse_envelope(body, headers), [b"n" * 32])


async def test_disabled_and_deleted_subscriptions_are_not_called() -> None:
    """What happens meanwhile is not told later on, but it is in the history."""
    async with world() as usps:
        created = await usps.client.subscribe(usps.listener.url)
        one, off = created.body["subscriptionId"], {"status": "DISABLED"}
        asked = new_subscription(usps.listener.url)
        changed = await usps.client.change(one, created.etag, asked | off)
        await usps.box.tell(10)
        assert usps.listener.requests == []
        again = await usps.client.change(one, changed.etag, asked)
        await usps.box.tell(10)
        assert len(usps.listener.requests) == 10
        await usps.client.delete(one, again.etag)
        await usps.box.tell(10)
        assert len(usps.listener.requests) == 10
        details = (await usps.client.track(*usps.box.usps.histories.numbers)).body
        assert sum(len(detail["trackingEvents"]) for detail in details) == 30


async def test_event_types_choose_layout_and_scans() -> None:
    """SCAN_EVENT_EXTRACT is told scan by scan; DELIVERY_ACTIVITY only of what matters."""
    async with world() as usps:
        for event_type in ("SCAN_EVENT_EXTRACT", "DELIVERY_ACTIVITY"):
            await usps.client.subscribe(usps.listener.url, MID, event_type)
        await usps.box.tell(60)
        payloads = [
            orjson.loads(orjson.loads(body)["payload"]) for _, body in usps.listener.requests
        ]
        detailed = [one for one in payloads if "mailerID" in one]
        assert 0 < len(payloads) - len(detailed) < len(detailed)


async def test_faults_go_out_beside_the_proper_callbacks() -> None:
    """Every kind of fault reaches the listener, and none of the forged ones counts as traffic."""
    async with listening() as listener, aiohttp.ClientSession() as session:
        listener.status = 401
        terms = Terms(mids=frozenset([MID]), oddities=frozenset([ApiOddity.SUSPEND_AFTER_FAILURES]))
        forged = {Fault.BAD_SIGNATURE: 1.0, Fault.UNKNOWN_SUBSCRIPTION: 1.0, Fault.NOT_JSON: 1.0}
        async with usps_in_a_box(Plan(terms, faults=forged), FakeClock()) as box:
            client = Client(session, box.base_url)
            await client.log_in()
            one = (await client.subscribe(listener.url)).body["subscriptionId"]
            await box.tell(36)
            assert box.truth.tally.faults == dict.fromkeys(forged, 9)
            assert box.usps.subscriptions[one].is_called
            await box.tell(4)
            assert not box.usps.subscriptions[one].is_called


async def test_all_can_go_to_one_url() -> None:
    """`--to` wins over every listener URL."""
    async with listening() as listener, aiohttp.ClientSession() as session:
        plan = Plan(Terms(mids=frozenset([MID])), url=listener.url, all_to_it=True)
        async with usps_in_a_box(plan, FakeClock()) as box:
            client = Client(session, box.base_url)
            await client.log_in()
            await client.subscribe("https://hooks.example.com/usps/tracking")
            await box.tell(5)
        assert len(listener.requests) == 5


async def test_listeners_that_are_no_place_count_as_failures() -> None:
    """A host that is no name cannot be reached, and that suspends as any failure."""
    async with world(ApiOddity.SUSPEND_AFTER_FAILURES) as usps:
        one = (await usps.client.subscribe("http://a..b/usps")).body["subscriptionId"]
        await usps.box.tell(20)
        assert not usps.box.usps.subscriptions[one].is_called


async def test_a_fast_clock_deletes_within_a_moment() -> None:
    """At a thousand days a second an idle subscription is gone while the test looks on."""
    deleted = asyncio.Event()
    terms = Terms(oddities=frozenset([ApiOddity.IDLE_DELETION]), clock_speed=_THOUSAND_DAYS)
    async with (
        usps_in_a_box(
            Plan(terms), SystemClock(), on_notice=lambda kind, _: _tell(kind, deleted)
        ) as box,
        aiohttp.ClientSession() as session,
    ):
        client = Client(session, box.base_url)
        await client.log_in()
        await client.subscribe("http://127.0.0.1:1/")
        while not deleted.is_set():
            box.usps.traffic.sweep()
            await asyncio.sleep(0)
        assert (await client.list()).body["subscriptions"] == []


def _tell(kind: str, deleted: asyncio.Event) -> None:
    if kind == "idle_deleted":
        deleted.set()
