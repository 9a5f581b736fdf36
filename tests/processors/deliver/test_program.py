"""`scanwire-processors sinks` as a process: what merchants and operators rely on."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.broker import LocalBroker
from schemas.records import DeadLetter, Delivery
from tests.processors.deliver.fakes import event_id_of, scan_event
from tests.processors.deliver.floor import Endpoint, Floor, ids, numbered, opened_floor, until


def has_received(endpoint: Endpoint, count: int) -> bool:
    """Whether so many different events came."""
    return len(endpoint.event_ids) >= count


async def test_events_reach_their_merchant_and_the_audit_trail(floor: Floor) -> None:
    """Each once, in order, written down and committed; SIGTERM ends it with 0."""
    await floor.apply(floor.http("orders"), floor.http("late", start="latest"))
    events = numbered(50, each=4)
    program = await floor.start()
    await floor.write("acme", events)
    orders = floor.endpoint("orders")
    await until(lambda: len(orders.events) == 200 and len(floor.endpoint("late").events) == 200)
    assert orders.skipped() == []
    assert await asyncio.to_thread(program.end) == 0
    deliveries = [Delivery.model_validate(d) for d in await floor.read(floor.names.deliveries)]
    assert len(deliveries) == 400
    assert {(d.outcome, d.grant, d.attempts) for d in deliveries} == {
        ("accepted", "owner:912345678", 1)
    }
    listed = await floor.command("destinations", "list", "--json")
    assert [one["lag"] for one in json.loads(listed.stdout)["destinations"]] == [0, 0]
    await floor.start()
    await floor.write("acme", [scan_event("92a00000", 5)])
    await until(lambda: len(orders.events) > 200)
    assert [event["sequence"] for event in orders.events[200:]] == [5]


async def test_killed_under_load_nothing_is_lost_and_order_is_kept(floor: Floor) -> None:
    """Kill -9: repeats have equal ids and bodies, and no number runs ahead."""
    await floor.apply(floor.http("orders"))
    events = numbered(60, each=50)
    orders = floor.endpoint("orders")
    await floor.write("acme", events)
    program = await floor.start()
    await until(partial(has_received, orders, 1000))
    await asyncio.to_thread(program.kill)
    assert len(orders.event_ids) < len(events)
    program = await floor.start()
    await until(lambda: orders.event_ids == ids(events))
    assert orders.skipped() == []
    assert all(len(bodies) == 1 for bodies in orders.bodies.values())
    await until(lambda: program.metric("usps_sink_lag_records", destination="orders") == 0)
    assert await asyncio.to_thread(program.end) == 0
    assert set((await floor.outcomes("orders")).values()) == {"accepted"}
    assert (await floor.outcomes("orders")).keys() == ids(events)


async def test_stopped_under_load_nothing_is_repeated(floor: Floor) -> None:
    """SIGTERM: what is under way is finished, written down and committed."""
    await floor.apply(floor.http("orders"))
    events = numbered(3000)
    orders = floor.endpoint("orders")
    await floor.write("acme", events)
    for wanted in (700, 1700):
        program = await floor.start()
        await until(partial(has_received, orders, wanted))
        assert await asyncio.to_thread(program.end) == 0
    assert len(orders.event_ids) < len(events)
    await floor.start()
    await until(lambda: orders.event_ids == ids(events))
    assert len(orders.events) == len(events)


async def test_a_dead_merchant_delays_nobody_else(floor: Floor) -> None:
    """One that never answers and one that is not there only grow their own lag."""

    async def hangs(_: dict[str, Any]) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    floor.endpoint("hangs").answer = hangs
    await floor.apply(
        floor.http("orders"),
        floor.http("hangs", "beta", timeout_seconds=2),
        floor.http("absent", "beta", url="http://127.0.0.1:1/"),
    )
    await floor.write("beta", numbered(300, merchant="beta"))
    program = await floor.start()
    events = numbered(300)
    await floor.write("acme", events)
    await until(lambda: floor.endpoint("orders").event_ids == ids(events), 10)
    await until(lambda: program.metric("usps_sink_breaker_open") == 2)
    await until(lambda: program.metric("usps_sink_lag_records", destination="hangs") == 300)
    await until(lambda: program.metric("usps_sink_lag_records", destination="absent") == 300)
    assert await floor.outcomes("absent") == {}
    assert await asyncio.to_thread(program.end) == 0


async def test_a_merchant_that_comes_back_gets_everything(floor: Floor) -> None:
    """Down for longer than the whole retry schedule, no record was blamed for it."""
    down = True

    async def answers(_: dict[str, Any]) -> web.Response:
        return web.Response(status=503 if down else 200)

    floor.endpoint("orders").answer = answers
    await floor.apply(floor.http("orders"))
    program = await floor.start()
    events = numbered(100, each=2)
    await floor.write("acme", events)
    await until(lambda: program.metric("usps_sink_breaker_open") == 1)
    await asyncio.sleep(1.0)  # longer than the whole schedule
    down = False
    await until(lambda: program.metric("usps_sink_deliveries_total", outcome="accepted") == 200)
    assert await floor.read(floor.names.dead_letters) == []


async def test_a_refused_record_is_tried_and_then_dead_lettered(floor: Floor) -> None:
    """After 0.2 and 0.4 s it is given up; its number and the others go on."""

    async def answers(event: dict[str, Any]) -> web.Response:
        bad = event["event_id"] == event_id_of("92a00000", 2)
        return web.Response(status=422 if bad else 200)

    floor.endpoint("orders").answer = answers
    await floor.apply(floor.http("orders"))
    await floor.start()
    events = numbered(3, each=3)
    await floor.write("acme", [*events, b"no event"])
    orders = floor.endpoint("orders")
    await until(lambda: orders.event_ids == ids(events))
    bad = [i for i, e in enumerate(orders.events) if e["event_id"] == event_id_of("92a00000", 2)]
    assert len(bad) == 3
    assert orders.times[bad[1]] - orders.times[bad[0]] >= 0.2
    assert orders.times[bad[2]] - orders.times[bad[1]] >= 0.4
    letters = [DeadLetter.model_validate(d) for d in await floor.read(floor.names.dead_letters)]
    assert sorted(letter.reason for letter in letters) == [
        "attempts_exhausted",
        "record_unreadable",
    ]
    assert (await floor.outcomes("orders"))[event_id_of("92a00000", 2)] == "dead_lettered"


async def test_retry_after_is_obeyed(floor: Floor) -> None:
    """No request comes before the time that the destination asked for."""
    asked = False

    async def answers(_: dict[str, Any]) -> web.Response:
        nonlocal asked
        if asked:
            return web.Response()
        asked = True
        return web.Response(status=429, headers={"Retry-After": "2"})

    orders = floor.endpoint("orders")
    orders.answer = answers
    await floor.apply(floor.http("orders", max_in_flight=1))
    await floor.start()
    events = numbered(10)
    await floor.write("acme", events)
    await until(lambda: len(orders.events) == 11)
    assert orders.event_ids == ids(events)
    assert orders.times[1] - orders.times[0] >= 1.99


async def test_a_broker_that_is_away_for_a_while_loses_nothing(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """The program waits, goes on by itself, and every event is accepted and written down."""
    async with opened_floor(private_broker, topic_prefix, tmp_path) as floor:
        await floor.apply(floor.http("orders"))
        events = numbered(60, each=50)
        orders = floor.endpoint("orders")
        await floor.write("acme", events)
        program = await floor.start()
        await until(partial(has_received, orders, 700))
        await asyncio.to_thread(private_broker.kill)
        await asyncio.to_thread(private_broker.start)
        await until(lambda: orders.event_ids == ids(events), 120)
        assert orders.skipped() == []
        await until(lambda: program.metric("usps_sink_lag_records", destination="orders") == 0, 60)
        assert await asyncio.to_thread(program.end) == 0
        assert (await floor.outcomes("orders")).keys() == ids(events)
