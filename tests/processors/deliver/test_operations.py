"""`scanwire-processors sinks` as operators run it: applies, shards, 410, lost positions."""

import asyncio
import json
from functools import partial
from typing import Any

from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from deploy.programs import fetch
from tests.processors.deliver.floor import Floor, ids, numbered, until


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
    health = json.loads(await asyncio.to_thread(fetch, program._ready_url))
    assert health["ready"]
    assert sorted(health["notes"]) == [
        "destination orders is stopped: position_lost",
        "destination tables is stopped: kind_not_runnable",
    ]
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


async def test_processes_take_over_from_each_other_under_load(floor: Floor) -> None:
    """Partitions move between processes that come and go; nothing is lost or runs ahead."""

    async def takes_its_time(_: dict[str, Any]) -> web.Response:
        await asyncio.sleep(0.01)
        return web.Response()

    floor.partitions = 3
    floor.endpoint("orders").answer = takes_its_time
    await floor.apply(floor.http("orders", max_in_flight=8))
    events = numbered(90, each=60)
    await floor.write("acme", events)
    orders = floor.endpoint("orders")
    first = await floor.start()
    await until(lambda: len(orders.event_ids) > 600)
    second = await floor.start()
    accepted = partial(second.metric, "usps_sink_attempts_total", outcome="accepted")
    await until(lambda: accepted() > 300)
    assert await asyncio.to_thread(first.end) == 0
    await until(lambda: orders.event_ids == ids(events))
    assert orders.skipped() == []
    await until(lambda: second.metric("usps_sink_lag_records", destination="orders") == 0)
    assert await asyncio.to_thread(second.end) == 0
    assert (await floor.outcomes("orders")).keys() == ids(events)


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
