"""The parts of `serve`, put together in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from receiver.broker import Broker
from receiver.commissioning import Commissioning
from receiver.intake import Intake
from receiver.judge import Judge
from receiver.listener import Listener
from receiver.producer import KafkaProducer
from receiver.program import Tools
from receiver.publish import GroupCommit
from receiver.quarantine import MinuteCaps, Quarantine
from receiver.refusals import RefusalLog
from receiver.registry import RegistryView, kafka_reader
from receiver.silence import RhythmFile, SilenceWatch
from receiver.tallies import BeforeScrape, Tallies
from receiver.topics import partition_counts
from receiver.usps.observed_tokens import ObservedTokens
from receiver.usps.token_keeping import TokenKeeping
from schemas.metrics import ReceiverMetrics, RegistryMetrics, SilenceMetrics, UspsMetrics


@dataclass(frozen=True, slots=True)
class Receiver:
    """What runs: background work of broker, registry and silence, and the listener."""

    broker: Broker
    registry: RegistryView
    listener: Listener
    tokens: TokenKeeping
    silence: SilenceWatch

    def readiness(self) -> Sequence[str]:
        """What stands in the way of work, a sentence each."""
        return [*self.registry.readiness(), *self.broker.readiness()]


def way_to_kafka(
    tools: Tools, metrics: ReceiverMetrics, written: Sequence[str]
) -> tuple[Broker, GroupCommit]:
    """The broker (to be run) and the door to it, for every feed. Needs a running loop."""
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
        metrics,
        tools.clock,
        settings.publish_timeout_seconds,
        settings.max_callbacks_in_flight,
    )
    return broker, door


def assemble(tools: Tools) -> Receiver:
    """Everything of one process. Needs a running loop; connects to nothing yet."""
    settings, topics = tools.settings, tools.settings.topics
    scrape = BeforeScrape(tools.metrics)
    metrics = ReceiverMetrics(tools.metrics)
    broker, door = way_to_kafka(tools, metrics, (topics.tracking_updates, topics.quarantine))
    registry = RegistryView(
        make_reader=partial(kafka_reader, tools.kafka),
        find_partitions=partial(partition_counts, tools.kafka),
        topics=topics,
        secrets=tools.secrets,
        metrics=metrics,
        registry_metrics=RegistryMetrics(tools.metrics),
    )
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
    return Receiver(broker, registry, listener, tokens, silence)
