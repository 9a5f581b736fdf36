"""`scanwire-processors sinks` as a process: what merchants and operators rely on."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker
from schemas.records import DeadLetter, Delivery
from tests.processors.deliver.fakes import event_id_of, scan_event
from tests.processors.deliver.floor import Endpoint, Floor, numbered, opened_floor, until


@pytest.fixture
async def floor(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Floor]:
    """Merchants that accept everything; nothing applied, nothing started."""
    async with opened_floor(broker, topic_prefix, tmp_path) as floor:
        yield floor


def ids(events: list[dict[str, Any]]) -> set[str]:
    """Their event ids."""
    return {event["event_id"] for event in events}


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


async def test_410_stops_a_destination_until_it_is_enabled(floor: Floor) -> None:
    """It is not called again, also after a restart; `destinations enable` delivers the rest."""
    gone = True

    async def answers(_: dict[str, Any]) -> web.Response:
        return web.Response(status=410 if gone else 200)

    orders = floor.endpoint("orders")
    orders.answer = answers
    await floor.apply(floor.http("orders", max_in_flight=1))
    program = await floor.start()
    events = numbered(20)
    await floor.write("acme", events)
    await until(lambda: program.metric("usps_sink_stopped", destination="orders") == 1)
    await until(lambda: program.metric("usps_sink_lag_records", destination="orders") == 20)
    assert await asyncio.to_thread(program.end) == 0
    program = await floor.start()
    await until(lambda: program.metric("usps_sink_stopped", destination="orders") == 1)
    assert "gone" in (await floor.command("destinations", "list")).stdout
    assert len(orders.events) == 1
    gone = False
    assert (await floor.command("destinations", "enable", "orders")).returncode == 0
    await until(lambda: orders.event_ids == ids(events))
    await until(lambda: program.metric("usps_sink_stopped", destination="orders") == 0)


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
    await until(lambda: orders.event_ids == ids(events))
    assert orders.times[1] - orders.times[0] >= 1.99
    assert len(orders.events) == 11


async def test_running_sinks_obey_an_apply(floor: Floor) -> None:
    """Destinations appear and vanish, and a right that ends withholds what is not delivered."""
    await floor.apply(floor.http("orders"))
    program = await floor.start()
    await floor.write("acme", numbered(5))
    await until(lambda: len(floor.endpoint("orders").events) == 5)
    await floor.apply(floor.http("second", categories=["delivered"]))
    await until(lambda: program.metric("usps_sink_deliveries_total", outcome="filtered") == 5, 5)
    await floor.apply(floor.http("second"), mids={"beta": "123456"})
    await floor.write("acme", numbered(5, each=2)[5:])
    await until(lambda: program.metric("usps_sink_deliveries_total", outcome="revoked") == 5)
    assert len(floor.endpoint("orders").events) == 5
    assert floor.endpoint("second").events == []
    withheld = await floor.read(floor.names.withheld)
    assert {(w["merchant"], w["reason"]) for w in withheld} == {("acme", "unknown_mid")}
    assert len(withheld) == 5


async def test_a_lost_position_stops_that_destination_alone(floor: Floor) -> None:
    """It names the range; `resume --accept-loss` writes it down and goes on behind it."""
    postgres = {"id": "tables", "merchant": "beta", "kind": "postgres", "dsn": "env:SIGNING"}
    await floor.apply(floor.http("orders"), floor.http("beta-orders", "beta"), postgres)
    await floor.write("acme", numbered(10))
    await delete_records(floor, floor.names.merchant("acme"), before=4)
    program = await floor.start()
    await until(lambda: program.metric("usps_sink_stopped", destination="orders") == 1)
    await until(lambda: program.metric("usps_sink_stopped", destination="tables") == 1)
    await floor.write("beta", numbered(3, merchant="beta"))
    await until(lambda: len(floor.endpoint("beta-orders").events) == 3)
    assert floor.endpoint("orders").events == []
    listed = json.loads((await floor.command("destinations", "list", "--json")).stdout)
    states = {one["id"]: (one["state"], one["lost"]) for one in listed["destinations"]}
    assert states == {
        "orders": ("position_lost", [{"partition": 0, "first": 0, "last": 3}]),
        "beta-orders": ("on", []),
        "tables": ("kind_not_runnable", []),
    }
    done = await floor.command("destinations", "resume", "orders", "--accept-loss")
    assert done.returncode == 0, done.stderr
    await until(lambda: len(floor.endpoint("orders").events) == 6)
    lost = [d for d in await floor.read(floor.names.deliveries) if d["outcome"] == "lost"]
    assert [(d["offset"], d["lost_through"], d["event_id"]) for d in lost] == [(0, 3, None)]


async def delete_records(floor: Floor, topic: str, before: int) -> None:
    """As retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=floor.broker.bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=before)})
    await admin.close()


async def test_one_destination_alone_and_beside(floor: Floor) -> None:
    """`sink ID` shares the group with `sinks`; an unknown id is refused."""
    await floor.apply(floor.http("orders"), floor.http("other"))
    one = await floor.start("sink", "orders")
    await floor.write("acme", numbered(5))
    await until(lambda: len(floor.endpoint("orders").events) == 5)
    assert floor.endpoint("other").events == []
    await floor.start()
    await until(lambda: len(floor.endpoint("other").events) == 5)
    assert await asyncio.to_thread(one.end) == 0
    await floor.write("acme", numbered(5, each=2)[5:])
    await until(lambda: len(floor.endpoint("orders").events) >= 10)
    assert floor.endpoint("orders").event_ids == ids(numbered(5, each=2))
    unknown = await floor.command("sink", "nope")
    assert (unknown.returncode, "nope" in unknown.stderr) == (1, True)


async def test_shards_share_the_destinations_out(floor: Floor) -> None:
    """Two halves deliver to every destination, each to its own."""
    names = [f"d-{number}" for number in range(6)]
    await floor.apply(*(floor.http(name) for name in names))
    halves = [await floor.start("sinks", "--shard", f"{half}/2") for half in (1, 2)]
    await floor.write("acme", numbered(3))
    await until(lambda: all(len(floor.endpoint(name).events) == 3 for name in names))
    counted = [half.metric("usps_sink_attempts_total", outcome="accepted") for half in halves]
    assert sum(counted) == 18
    assert all(counted)


async def test_without_topics_it_waits_and_says_so(floor: Floor) -> None:
    """Not ready, with what to do; once they are there it goes on by itself."""
    starting = asyncio.create_task(floor.start())
    await until(lambda: bool(floor.programs))
    log = floor.directory / "sinks-0.log"
    await until(lambda: "topics_missing" in log.read_text())
    assert not starting.done()
    await floor.apply(floor.http("orders"))
    await floor.write("acme", numbered(3))
    await starting
    await until(lambda: len(floor.endpoint("orders").events) == 3)
    assert await floor.read(floor.names.dead_letters) == []
