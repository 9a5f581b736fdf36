"""The parts of `serve`, put together in one place."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from receiver.following.kept import KeptSubscriptions
from receiver.following.registry import RegistryView, kafka_reader
from receiver.judging.commissioning import Commissioning
from receiver.judging.intake import Intake
from receiver.judging.judge import Judge
from receiver.judging.quarantine import MinuteCaps, Quarantine
from receiver.judging.refusals import RefusalLog
from receiver.judging.tallies import BeforeScrape, Tallies
from receiver.listening.listener import Listener
from receiver.program import Tools
from receiver.publishing.broker import Broker
from receiver.publishing.producer import KafkaProducer
from receiver.publishing.publish import GroupCommit
from receiver.publishing.topics import partition_counts
from receiver.silence import RhythmFile, SilenceWatch
from receiver.spool.directory import SpoolDirectory
from receiver.spool.drain import Drain
from receiver.spool.refused import set_aside
from receiver.spool.spool import Spool
from receiver.usps.observed_tokens import ObservedTokens
from receiver.usps.token_keeping import TokenKeeping
from schemas.metrics import (
    ReceiverMetrics,
    RegistryMetrics,
    SilenceMetrics,
    SpoolMetrics,
    UspsMetrics,
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """What runs: background work of broker, registry, spool and silence, and the listener."""

    broker: Broker
    registry: RegistryView
    spool: Spool
    door: GroupCommit
    listener: Listener
    tokens: TokenKeeping
    silence: SilenceWatch

    def readiness(self) -> Sequence[str]:
        """What stands in the way of work, a sentence each: neither broker nor spool, say."""
        broker = () if self.door.spools else self.broker.readiness()
        return [*self.registry.readiness(), *broker]

    def notes(self) -> Sequence[str]:
        """What is wrong but does not stand in the way."""
        broker = self.broker.readiness() if self.door.spools else ()
        waiting = [f"{text}; callbacks go to the spool" for text in broker]
        return [*waiting, *self.registry.notes(), *self.spool.notes()]

    async def run(self) -> None:
        """All background work, until cancelled; the spool ends after what fills and drains it."""
        drain = Drain(self.broker, self.door, self.spool)
        spooling = asyncio.create_task(self.spool.run())
        parts = (self.broker, self.registry, self.tokens, self.silence, drain)
        working = [asyncio.create_task(part.run()) for part in parts]
        try:
            done, _ = await asyncio.wait([spooling, *working], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _cancel(working)
            await _cancel([spooling])
            await self.spool.close()


def way_to_kafka(
    tools: Tools, metrics: ReceiverMetrics, written: Sequence[str], spool: Spool | None = None
) -> tuple[Broker, GroupCommit]:
    """The broker (to be run) and the door to it, for every feed. Needs a running loop.

    Only the listener has a spool: what other feeds cannot write they can ask for again.
    """
    settings = tools.settings
    broker = Broker(
        partial(KafkaProducer, tools.kafka, written),
        partial(partition_counts, tools.kafka),
        written,
        metrics,
        tools.clock,
    )
    door = GroupCommit(
        broker,
        spool or _new_spool(tools),
        metrics,
        tools.clock,
        timeout_seconds=settings.publish_timeout_seconds,
        max_waiting=settings.max_callbacks_in_flight,
        instead=partial(set_aside, topics=settings.topics),
    )
    return broker, door


def assemble(tools: Tools) -> Receiver:
    """Everything of one process. Needs a running loop; connects to nothing yet.

    Opens the spool, which may take a moment where much lies in it: nothing is served before.
    Raises `OperatorError` where another process has it.
    """
    settings, topics = tools.settings, tools.settings.topics
    scrape = BeforeScrape(tools.metrics)
    metrics = ReceiverMetrics(tools.metrics)
    spool = _new_spool(tools)
    spool.open()
    written = (topics.tracking_updates, topics.quarantine)
    broker, door = way_to_kafka(tools, metrics, written, spool)
    registry = _registry(tools, metrics)
    tallies, refusals = Tallies(metrics), RefusalLog(tools.clock)
    caps = MinuteCaps(
        tools.clock,
        settings.quarantine_per_subscription_per_minute,
        settings.quarantine_per_minute,
    )
    scrape.call = tallies.flush
    intake = Intake(
        judge=Judge(settings, registry, tallies, Commissioning(tools.clock, metrics)),
        door=door,
        quarantine=Quarantine(door, topics.quarantine, caps, metrics),
        tallies=tallies,
        refusals=refusals,
        clock=tools.clock,
    )
    listener = Listener(intake, tallies, refusals, settings.max_body_bytes)
    tokens = TokenKeeping(
        tools, lambda: registry.registry, ObservedTokens(tools.kafka), UspsMetrics(tools.metrics)
    )
    silence = SilenceWatch(
        RhythmFile(settings.state_directory),
        tallies,
        lambda: registry.table,
        SilenceMetrics(tools.metrics),
        tools.clock,
    )
    return Receiver(broker, registry, spool, door, listener, tokens, silence)


def _new_spool(tools: Tools) -> Spool:
    """Not open: it takes nothing yet."""
    settings = tools.settings
    directory = SpoolDirectory(settings.spool_directory, tools.worker, settings.receiver_workers)
    return Spool(directory, settings.spool_max_bytes, SpoolMetrics(tools.metrics), tools.clock)


def _registry(tools: Tools, metrics: ReceiverMetrics) -> RegistryView:
    view = RegistryView(
        make_reader=partial(kafka_reader, tools.kafka),
        find_partitions=partial(partition_counts, tools.kafka),
        topics=tools.settings.topics,
        secrets=tools.secrets,
        metrics=metrics,
        registry_metrics=RegistryMetrics(tools.metrics),
        kept=KeptSubscriptions(tools.settings.spool_directory),
    )
    view.restore()
    return view


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
