"""`make run ONCE=1`: a fixed set of hard journeys, pushed, settled, checked event by event.

It has topics of its own, so that neither earlier runs nor `make run` can be confused with it;
they are deleted afterwards unless something was wrong.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from deploy.demo.cluster import delete_topics
from deploy.demo.layout import Layout
from deploy.demo.processes import Child, DemoError
from deploy.demo.programs import Load
from deploy.demo.screen import Screen
from deploy.demo.settle import settle
from deploy.demo.stage import Stage, staged
from deploy.demo.summary import summary_lines
from deploy.demo.troupe import Stopped
from deploy.demo.truth import read_truth
from deploy.demo.verify import Outcome, checks_of, wrong_of
from processors.ledger.books import Id, id_of
from processors.ledger.read import records_of
from schemas.settings import PREFIX

_LOOK_EVERY_SECONDS: Final = 0.5
# 0: all was answered as it must be, 1: not all; the record says more than either.
_SIMULATOR_ENDS: Final = (0, 1)


async def once(
    layout: Layout, load: Load, given_prefix: str, screen: Screen, asked: asyncio.Event
) -> int:
    """0 if everything is as it must be, 1 if not. Raises `DemoError`."""
    started_at = datetime.now(UTC)
    shutil.rmtree(layout.run, ignore_errors=True)
    prefix = f"{given_prefix}once-{started_at:%Y%m%dT%H%M%S}."
    try:
        async with staged(layout, prefix, screen, asked) as stage:
            screen.say(f"Topics of this run: {prefix}*")
            simulator = await stage.troupe.add(stage.programs.simulator(load), may_end=True)
            screen.say(
                f"Simulated USPS: {load.packages} packages, {load.rate:g} callbacks/s, "
                f"seed {load.seed}"
            )
            outcome = await stage.troupe.unless_ended(_run(stage, simulator, started_at))
            wrong = _tell(outcome, screen)
            await stage.troupe.stop(screen.say)
            if not wrong:
                count = await delete_topics(stage.kafka, prefix)
                screen.say(f"Deleted the {count} topics of this run.")
    except Stopped:
        screen.say("Ended before it was done.")
        return 1
    return 1 if wrong else 0


async def _run(stage: Stage, simulator: Child, started_at: datetime) -> Outcome:
    stage.screen.begin([])
    while simulator.exit_code is None:
        await stage.look()
        await asyncio.wait({simulator.ended}, timeout=_LOOK_EVERY_SECONDS)
    if simulator.exit_code not in _SIMULATOR_ENDS:
        raise DemoError(simulator.last_words())
    books, registry = await settle(stage)
    truth = read_truth(stage.layout.record, registry, started_at)
    books.answered = truth.answered
    received = await _received_by_http(stage) | await _received_by_kafka(stage)
    states = await _states(stage)
    reading = await stage.look()
    stage.screen.end()
    return Outcome(truth, books, received, states, reading)


async def _received_by_http(stage: Stage) -> dict[str, set[Id]]:
    base = f"http://127.0.0.1:{stage.layout.ports.merchant}/events"
    return {
        name: set(map(id_of, await stage.watcher.json(f"{base}/{name}") or ()))
        for name in stage.registry.endpoints
    }


async def _received_by_kafka(stage: Stage) -> dict[str, set[Id]]:
    """The ids in the topics of Kafka destinations, by their `ce_id` header."""
    found: dict[str, set[Id]] = {}
    for destination, topic in stage.registry.kafka_topics.items():
        found[destination] = {
            id_of(dict(record.headers)["ce_id"].decode())
            async for record in _records(stage, topic, 1)
        }
    return found


async def _states(stage: Stage) -> dict[str, str]:
    """How each piece stands in the end, by its number."""
    topic = stage.settings.topics.packages
    return {
        (record.key or b"").decode(): orjson.loads(record.value)["category"]
        async for record in _records(stage, topic, stage.settings.topic_partitions)
        if record.value is not None
    }


async def _records(stage: Stage, topic: str, partitions: int) -> AsyncIterator[ConsumerRecord]:
    async with AIOKafkaConsumer(**stage.kafka.reader()) as reader:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        beginnings = await reader.beginning_offsets(places)
        ends = await reader.end_offsets(places)
        async for records in records_of(reader, topic, beginnings, ends):
            for record in records:
                yield record


def _tell(outcome: Outcome, screen: Screen) -> list[str]:
    checks = checks_of(outcome)
    for line in summary_lines(outcome, checks):
        screen.say(line)
    return wrong_of(checks)


def given_prefix(environ: Mapping[str, str]) -> str:
    """What the user wants before every topic; nothing unless said so."""
    return environ.get(f"{PREFIX}TOPIC_PREFIX", "")
