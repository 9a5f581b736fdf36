"""A back-fill from USPS's answers to Kafka's records, in one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from rich.console import Console

from receiver.feeds.backfill import Backfill, is_settled, resume
from receiver.feeds.backfill_progress import Estimate, Standing, draw_bar
from receiver.feeds.backfill_summary import Summary
from receiver.feeds.journal import Journal, WantedNumber
from receiver.feeds.lookups import LookupPublisher, lookup_id
from receiver.publishing.publish import GroupCommit
from receiver.usps.bucket import Allowance
from receiver.usps.errors import UspsRefused
from receiver.usps.tracking import LookupAnswer, LookupOutcome, TrackingApi
from schemas.registry.entities import Entity
from schemas.registry.index import Registry
from schemas.update import TrackingUpdate
from tests.receiver.fakes import unusable_spool
from tests.receiver.feeds.test_planning import number_of
from tests.receiver.usps.usps import Desk, Scripted, desk
from tests.receiver.world import World, running
from tests.schemas.registry.entities import MID, merchant, owned
from tests.schemas.usps.feed import JSON, events_of, payload_of, scan

NUMBERS = [number_of(MID, serial) for serial in range(100)]
RIGHTS: list[Entity] = [merchant("acme", terms_accepted_on="2026-01-01"), owned("acme")]


class Bench:
    """A job between a fake USPS and a fake Kafka."""

    def __init__(self, at: Desk, world: World, numbers: list[str]) -> None:
        self.usps, self.kafka, self.time = at.usps, world.kafka, at.time
        self.updates = world.updates
        self.registry = Registry(RIGHTS)
        self.journal = Journal.unnamed()
        with self.journal.planning() as plan:
            for number in numbers:
                plan.add(WantedNumber(number))
        self.usps.pieces = {
            one: payload_of(scan(), trackingNumber=one, mailerID=None) for one in numbers
        }
        clock = at.time.clock
        door = GroupCommit(
            world.broker,
            unusable_spool(clock),
            world.metrics,
            clock,
            timeout_seconds=0.3,
            max_waiting=2_000,
        )
        self.publisher = LookupPublisher(door, world.updates, at.time.timing)
        self.backfill = Backfill(
            self.journal, TrackingApi(at.http), self.publisher, lambda: self.registry, at.time.clock
        )

    @property
    def values(self) -> list[dict[str, Any]]:
        """The updates in Kafka."""
        return self.kafka.values(self.updates)


@asynccontextmanager
async def bench(numbers: list[str]) -> AsyncIterator[Bench]:
    """All of it, running."""
    async with desk() as at, running(World()) as world:
        made = Bench(at, world, numbers)
        yield made
        made.journal.close()


async def test_every_number_becomes_an_update() -> None:
    """A hundred numbers are three calls; each update is valid, of channel api, without a MID."""
    async with bench(NUMBERS) as at:
        await at.backfill.run()
        assert [len(batch) for batch in at.usps.batches] == [35, 35, 30]
        assert at.journal.counts() == {"found": 100}
        assert {value["tracking_number"] for value in at.values} == set(NUMBERS)
        for value in at.values:
            update = TrackingUpdate.model_validate(value)
            assert (update.channel, update.mid, update.subscription_id) == ("api", None, None)
        assert is_settled(at.journal)
        assert (at.publisher.updates, at.publisher.events) == (100, 100)


async def test_ids_are_those_of_the_webhook() -> None:
    """The event's id does not know its channel; equal answers have one update id."""
    scans = [scan(eventCode="01"), scan(), scan(eventCode="03")]
    payload = payload_of(*scans, trackingNumber=NUMBERS[0])
    async with bench(NUMBERS[:1]) as at:
        at.usps.pieces[NUMBERS[0]] = payload
        await at.backfill.run()
        at.usps.pieces[NUMBERS[0]] = dict(reversed(payload.items()))
        at.journal.open_again(["found"])
        await at.backfill.run()
        first, again = at.values
        webhook = events_of(payload, subscription_mid=MID)
        assert [one["event_id"] for one in first["events"]] == [one["event_id"] for one in webhook]
        assert first["update_id"] == again["update_id"]
        assert orjson.loads(first["original"]) == payload


async def test_a_right_that_ends_ends_the_asking() -> None:
    """The registry is looked at before each batch; resuming looks again."""
    async with bench(NUMBERS) as at:
        at.usps.hold_at = 1
        running_job = asyncio.create_task(at.backfill.run())
        await at.usps.asking.wait()
        at.registry = Registry([])
        at.usps.gate.set()
        await running_job
        assert at.journal.counts() == {"found": 35, "not_asked:unknown_mid": 65}
        assert is_settled(at.journal)
        at.registry = Registry(RIGHTS)
        assert resume(at.journal) == 65
        await at.backfill.run()
        assert at.journal.counts() == {"found": 100}


async def test_refused_unknown_and_later_are_told_apart() -> None:
    """Later ones are tried again by the next run, the others are not."""
    async with bench(NUMBERS[:10]) as at:
        at.usps.forbidden = {NUMBERS[0]}
        del at.usps.pieces[NUMBERS[1]]
        at.usps.later = {NUMBERS[2]}
        del at.usps.pieces[NUMBERS[2]]
        await at.backfill.run()
        counts = at.journal.counts()
        assert counts == {"found": 7, "refused": 1, "unknown": 1, "later": 1}
        assert not is_settled(at.journal)
        assert resume(at.journal) == 1


async def test_a_refusal_of_everything_ends_it() -> None:
    """Two batches of nothing but refusals: the account, not the pieces; the rest waits."""
    async with bench(NUMBERS) as at:
        at.usps.forbidden = set(NUMBERS)
        with pytest.raises(UspsRefused) as refused:
            await at.backfill.run()
        assert "each of the last 70 numbers" in refused.value.detail
        assert at.journal.counts() == {"refused": 70, "open": 30}


async def test_a_job_that_usps_ends_keeps_what_it_has() -> None:
    """Credentials that stop being good: what was published is settled, the rest waits."""
    async with bench(NUMBERS) as at:
        refusal = Scripted(401, b"{}")
        at.usps.scripted_after = {1: refusal, 2: refusal}
        with pytest.raises(UspsRefused):
            await at.backfill.run()
        assert at.journal.counts() == {"found": 35, "open": 65}
        assert len(at.values) == 35


async def test_an_answer_waits_for_kafka() -> None:
    """While the broker is away nothing is settled and nothing is asked again."""
    async with bench(NUMBERS[:3]) as at:
        at.kafka.reachable = False
        job = asyncio.create_task(at.backfill.run())
        at.time.during_sleep = at.kafka.answer
        await job
        assert at.usps.batches == [NUMBERS[:3]]
        assert at.journal.counts() == {"found": 3}
        assert {value["tracking_number"] for value in at.values} == set(NUMBERS[:3])


async def test_an_unreadable_piece_is_counted_and_stops_nothing() -> None:
    """Events that are no events, or a nest too deep."""
    nest: Any = {}
    for _ in range(300):
        nest = {"a": nest}
    async with bench(NUMBERS[:3]) as at:
        at.usps.pieces[NUMBERS[0]]["trackingEvents"] = [1]
        at.usps.pieces[NUMBERS[1]]["nest"] = nest
        await at.backfill.run()
        assert at.journal.counts() == {"found": 1, "unreadable": 2}


@given(JSON)
@settings(max_examples=50)
def test_any_document_has_an_id_of_its_own(value: object) -> None:
    """The same whatever the order of its fields."""
    document = {"a": value, "b": 1}
    assert lookup_id(document) == lookup_id(dict(reversed(document.items())))
    assert lookup_id(document) != lookup_id({**document, "b": 2})


async def test_a_number_with_two_pieces_gives_two_updates() -> None:
    """In the order in which USPS tells them."""
    pieces = tuple(
        payload_of(scan(eventCode=code), trackingNumber=NUMBERS[0]) for code in ("01", "03")
    )
    async with bench(NUMBERS[:1]) as at:
        answer = LookupAnswer(NUMBERS[0], LookupOutcome.FOUND, pieces)
        assert await at.publisher.publish([answer]) == {NUMBERS[0]: "found"}
        assert [value["events"][0]["event_code"] for value in at.values] == ["01", "03"]


def test_the_summary_tells_counts_by_reason() -> None:
    """For a program and for a person."""
    counts = {"found": 2, "open": 71, "not_asked:no_mid": 3}
    summary = Summary("job", "main", counts, updates=2, events=9)
    allowance = Allowance(60, 5)
    document = summary.document(allowance)
    assert document["numbers"] == 76
    assert document["not_asked"] == {"no_mid": 3}
    assert (document["calls_left"], document["found"], document["refused"]) == (3, 2, 0)
    text = summary.text(allowance)
    assert "3 not asked for, nobody may have them: no_mid" in text
    assert "at least 3 calls" in text


async def test_the_estimate_knows_the_quota() -> None:
    """A hundred thousand numbers at sixty calls an hour take two days."""
    async with desk() as at:
        estimate = Estimate(at.time.clock, Allowance(60, 5), 0)
        at.time.clock.advance(10)
        standing = Standing(175, 100_000, 55.0, waits_for_broker=False)
        assert standing.waiting == "waits for the quota, 55 s"
        assert 50 * 3600 < estimate.seconds_left(standing) < 53 * 3600
        assert Standing(1, 2, 0.0, waits_for_broker=True).waiting == "waits for Kafka"


async def test_a_bar_says_how_far_and_what_it_waits_for() -> None:
    """On a terminal: done of all, the rate, what is left."""
    screen = StringIO()
    console = Console(file=screen, width=120, force_terminal=True, color_system=None)
    async with desk() as at:
        estimate = Estimate(at.time.clock, Allowance(60, 5), 0)
        at.time.clock.advance(3600)
        drawn = asyncio.Event()

        def look() -> Standing:
            drawn.set()
            return Standing(70, 140, 12.0, waits_for_broker=False)

        bar = asyncio.create_task(draw_bar(console, look, estimate))
        await drawn.wait()
        await asyncio.sleep(0)
        bar.cancel()
        await asyncio.wait([bar])
    assert "70/140 70/h, 0:00:12 left  waits for the quota, 12 s" in screen.getvalue()
