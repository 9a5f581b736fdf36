"""A whole receiver but for its sockets: fake Kafka, fake clock, a table of subscriptions."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from receiver.following.kept import KeptSubscriptions
from receiver.following.registry import RegistryView
from receiver.following.subscriptions import KnownSubscription
from receiver.judging.commissioning import Commissioning
from receiver.judging.intake import Intake
from receiver.judging.judge import Judge
from receiver.judging.quarantine import MinuteCaps, Quarantine
from receiver.judging.refusals import RefusalLog
from receiver.judging.tallies import BeforeScrape, Tallies
from receiver.listening.app import Application, create_app
from receiver.listening.listener import Listener
from receiver.publishing.broker import Broker
from receiver.publishing.publish import GroupCommit
from schemas.metrics import ReceiverMetrics, RegistryMetrics
from schemas.secrets import Secrets
from schemas.settings import Settings
from tests.receiver.fakes import FakeClock, FakeKafka, eventually, unusable_spool

SUBSCRIPTION_ID = "0190aa11-2b3c-7d4e-8f50-61728394a5b6"
SECRET = b"sample-only-secret-0123456789abc"
NUMBER = "9205599887766500042174"
TIMESTAMP = "2026-05-14T15:42:09.318Z"
PAYLOAD: Mapping[str, Any] = {
    "trackingNumber": NUMBER,
    "status": "Out for Delivery",
    "trackingEvents": [
        {
            "eventCode": "OF",
            "eventType": "Out for Delivery",
            "eventTimestamp": "2026-05-14T08:10:00-07:00",
            "GMTTimestamp": "2026-05-14T15:10:00Z",
            "eventCity": "PORT CEDAR",
            "eventZIPCode": "98099",
        }
    ],
}
SUBSCRIPTION = KnownSubscription("acme-webhook", "998877665", None, (SECRET,))


def callback(
    payload: Mapping[str, Any] | str = PAYLOAD,
    *,
    subscription_id: str = SUBSCRIPTION_ID,
    timestamp: str = TIMESTAMP,
    secret: bytes = SECRET,
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body and headers of a callback as USPS signs it."""
    text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
    envelope = {
        "subscriptionId": subscription_id,
        "subscriptionType": "TRACKING",
        "timestamp": timestamp,
        "payload": text,
    }
    digest = hmac.digest(secret, f"{timestamp}{text}".encode(), "sha256")
    body = orjson.dumps(envelope)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-hmac", base64.b64encode(digest)),
    ]
    return body, headers


class World:
    """A receiver in one process, and the Kafka behind it."""

    def __init__(self, **settings: str) -> None:
        self.settings = Settings.model_validate({"publish_timeout_seconds": 0.3, **settings})
        topics = self.settings.topics
        self.updates, self.quarantine = topics.tracking_updates, topics.quarantine
        self.kafka = FakeKafka({self.updates: 4, self.quarantine: 4})
        self.kafka.max_bytes = 8 * 1024 * 1024
        self.clock = FakeClock()
        self.spool = unusable_spool(self.clock)
        self.registry_of_metrics = CollectorRegistry()
        scrape = BeforeScrape(self.registry_of_metrics)
        self.metrics = ReceiverMetrics(self.registry_of_metrics)
        self.tallies = Tallies(self.metrics)
        scrape.call = self.tallies.flush
        self.broker = self._broker()
        self.registry = self._registry()
        self.listener = self._listener()
        self.app: Application = create_app(self.listener)

    def _broker(self) -> Broker:
        topics = (self.updates, self.quarantine)
        return Broker(
            self.kafka.producer, self.kafka.find_partitions, topics, self.metrics, self.clock
        )

    def _registry(self) -> RegistryView:
        view = RegistryView(
            make_reader=no_reader,
            find_partitions=self.kafka.find_partitions,
            topics=self.settings.topics,
            secrets=Secrets({}, str),
            metrics=self.metrics,
            registry_metrics=RegistryMetrics(self.registry_of_metrics),
            kept=KeptSubscriptions(Path("/nowhere")),
        )
        view.table = {SUBSCRIPTION_ID: SUBSCRIPTION}
        return view

    def _listener(self) -> Listener:
        settings = self.settings
        door = GroupCommit(
            self.broker,
            self.spool,
            self.metrics,
            self.clock,
            timeout_seconds=settings.publish_timeout_seconds,
            max_waiting=settings.max_callbacks_in_flight,
        )
        caps = MinuteCaps(
            self.clock,
            settings.quarantine_per_subscription_per_minute,
            settings.quarantine_per_minute,
        )
        refusals = RefusalLog(self.clock)
        intake = Intake(
            judge=Judge(
                settings, self.registry, self.tallies, Commissioning(self.clock, self.metrics)
            ),
            door=door,
            quarantine=Quarantine(door, self.quarantine, caps, self.metrics),
            tallies=self.tallies,
            refusals=refusals,
            clock=self.clock,
        )
        return Listener(intake, self.tallies, refusals, settings.max_body_bytes)

    def counted(self, metric: str, **labels: str) -> float:
        """A metric's value, as a scrape would see it."""
        self.tallies.flush()
        return self.registry_of_metrics.get_sample_value(metric, labels) or 0.0


def no_reader() -> Any:
    """For worlds whose registry is set, not read."""
    raise AssertionError("nothing is read here")


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    """With a started producer."""
    broker = asyncio.create_task(world.broker.run())
    await eventually(lambda: world.broker.producer is not None)
    try:
        yield world
    finally:
        broker.cancel()
        await asyncio.wait([broker])
