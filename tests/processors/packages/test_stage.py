"""Packages against a real broker: records, dead letters, restarts, a lost disk, its time."""

import asyncio
from pathlib import Path

import orjson
import pytest

from deploy.broker import LocalBroker
from processors.program import Tools
from schemas.clock import rfc3339
from schemas.partitions import partition_of
from tests.processors.consume.world import read_all, tools_for, until
from tests.processors.packages.story import NUMBER, journey, scan, update
from tests.processors.packages.world import (
    PARTITIONS,
    again,
    events,
    feed,
    make_world,
    metric,
    numbers,
    raw,
    rounds,
    running,
    states,
)

UPDATES = "usps_packages_updates_total"
EVENTS = "usps_packages_events_total"


@pytest.fixture
async def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For a prefix of this test's own, with its topics."""
    found = tools_for(broker.bootstrap_servers, topic_prefix, tmp_path / "state")
    await make_world(found)
    return found


async def until_handled(tools: Tools, count: int) -> None:
    """Waits until that many updates are committed."""
    outcomes = ("new", "repeat", "dead_lettered")
    await until(
        lambda: sum(metric(tools, UPDATES, outcome=one) for one in outcomes) >= count, "handled"
    )


async def test_callbacks_become_events_and_states(tools: Tools) -> None:
    """Each event once, in order per number, on the partition of its number; a state per number."""
    told = rounds(numbers(40))
    await feed(tools, [raw(one) for one in told])
    async with running(tools):
        await until_handled(tools, len(told))
    found = await events(tools)
    for number in numbers(40):
        mine = [event for event in found if event["tracking_number"] == number]
        assert [event["sequence"] for event in mine] == list(range(1, 8))
        assert [event["event_code"] for event in mine] == [one["event_code"] for one in journey()]
    state = await states(tools)
    assert sorted(state) == sorted(numbers(40))
    assert {one["category"] for one in state.values()} == {"delivered"}
    assert metric(tools, EVENTS, outcome="new") == 280
    assert metric(tools, UPDATES, outcome="new") == 280


async def test_records_say_what_they_are(tools: Tools) -> None:
    """CloudEvents headers, the number as key, the partition of the number."""
    await feed(tools, [raw(update(*journey()))])
    async with running(tools):
        await until_handled(tools, 1)
    record = (await read_all(tools, tools.settings.topics.scan_events))[0]
    event = orjson.loads(record.value)
    headers = dict(record.headers)
    assert record.key == NUMBER.encode()
    assert record.partition == partition_of(NUMBER.encode(), PARTITIONS)
    assert headers["ce_id"].decode() == event["event_id"]
    assert headers["ce_type"] == b"usps.scan_event"
    assert headers["ce_source"] == b"scanwire/packages"
    assert headers["ce_subject"].decode() == NUMBER
    assert headers["ce_time"].decode() == event["received_at"]
    assert headers["content-type"] == b"application/json"
    state = (await read_all(tools, tools.settings.topics.packages))[-1]
    assert state.key == NUMBER.encode()
    assert dict(state.headers)["ce_id"].decode() == f"{NUMBER}/7"


async def test_what_is_no_update_is_set_aside(tools: Tools) -> None:
    """Each with its bytes, its place and a reason; the next one is processed."""
    good = raw(update(*journey()))
    bad = [
        (NUMBER.encode(), b"not json"),
        (NUMBER.encode(), b"[]"),
        (NUMBER.encode(), b'{"tracking_number": 5}'),
        (b"another", good[1]),
        (NUMBER.encode(), orjson.dumps({**orjson.loads(good[1]), "events": [{"event_id": "x"}]})),
    ]
    await feed(tools, [*bad, good])
    async with running(tools):
        await until_handled(tools, len(bad) + 1)
    letters = [
        orjson.loads(record.value)
        for record in await read_all(tools, tools.settings.topics.dead_letters)
    ]
    reasons = sorted(letter["reason"] for letter in letters)
    assert reasons == ["key_is_not_the_number"] + ["update_unreadable"] * 4
    assert {letter["destination"] for letter in letters} == {"packages"}
    assert {letter["topic"] for letter in letters} == {tools.settings.topics.tracking_updates}
    assert len(await events(tools)) == 7
    assert metric(tools, UPDATES, outcome="dead_lettered") == 5


async def test_a_restart_knows_what_was_published(tools: Tools) -> None:
    """A second run over repeats publishes only what is new."""
    half = rounds(numbers(20))
    await feed(tools, [raw(one) for one in half])
    async with running(tools):
        await until_handled(tools, len(half))
    after = again(tools, tools.settings.state_directory)
    await feed(tools, [raw(one) for one in half])
    async with running(after):
        await until_handled(after, len(half))
    assert metric(after, EVENTS, outcome="new") == 0
    assert metric(after, "usps_packages_restored_states_total") <= 3
    assert len(await events(tools)) == 140


async def test_a_lost_disk_is_rebuilt_from_the_topic(tools: Tools, tmp_path: Path) -> None:
    """Nothing is published again, and the sequence goes on."""
    told = rounds(numbers(20))
    await feed(tools, [raw(one) for one in told])
    async with running(tools):
        await until_handled(tools, len(told))
    after = again(tools, tmp_path / "new disk")
    returned = [
        update(
            *[
                scan(one["event_code"], one["event_local_time"], zip_code=one["zip"], number=number)
                for one in journey()
            ],
            scan("09", "2026-11-02T09:00", number=number),
            at="2026-11-02T20:00:00.000Z",
        )
        for number in numbers(20)
    ]
    await feed(tools, [raw(one) for one in returned])
    async with running(after):
        await until_handled(after, len(returned))
    last = [event for event in await events(tools) if event["event_code"] == "09"]
    assert {event["sequence"] for event in last} == {8}
    assert len(await events(tools)) == 160
    assert metric(after, "usps_packages_restored_states_total") >= 20


async def test_states_are_trimmed_and_forgotten_in_their_time(tools: Tools) -> None:
    """The sweep looks through the store: 120 days after the last event, and after two years."""
    now = tools.clock.now()
    silent = {"at": rfc3339(now.replace(year=now.year - 1)), "number": numbers(1)[0]}
    gone = {"at": rfc3339(now.replace(year=now.year - 3)), "number": numbers(1, 1)[0]}
    for old in (silent, gone):
        day = old["at"][:10]
        await feed(
            tools, [raw(update(scan("01", f"{day}T00:00", number=old["number"]), at=old["at"]))]
        )
    async with running(tools):
        await until_handled(tools, 2)
        topic = tools.settings.topics.packages
        found: list[bytes | None] = []
        async with asyncio.timeout(30):
            while len(found) < 4:
                found = [record.value for record in await read_all(tools, topic)]
    by_key = {record.key.decode(): record.value for record in await read_all(tools, topic)}
    assert by_key[gone["number"]] is None
    state = orjson.loads(by_key[silent["number"]] or b"")
    assert (state["event_ids"], state["sequence"], state["category"]) == ([], 1, "delivered")
