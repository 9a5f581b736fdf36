"""What plan, apply and list stand on: the registry in force, the books, and USPS's APIs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import orjson
from aiokafka import AIOKafkaProducer

from receiver.feeds.registry_in_force import existing_topics
from receiver.following.registry import STOP_SECONDS, kafka_reader
from receiver.judging.quarantine import SOURCE
from receiver.program import Tools
from receiver.publishing.producer import BROKER_FAULTS, CLOSE_SECONDS, START_SECONDS
from receiver.subscribing.api import SubscriptionsApi
from receiver.subscribing.books import Books, BooksNotWritten
from receiver.subscribing.journal import Journal
from receiver.subscribing.reconcile import Ground
from receiver.subscribing.usps_api import UspsSubscriptionsApi
from receiver.usps.client import usps_client
from schemas.clock import Clock, rfc3339
from schemas.errors import OperatorError
from schemas.follow import RegistryFollower
from schemas.headers import record_headers
from schemas.kafka_clients import end_client, end_producer, make_producer
from schemas.metrics import UspsMetrics
from schemas.records import CloudEventType
from schemas.registry.entities import Subscription, UspsAccount
from schemas.registry.index import Registry
from schemas.registry.log import RegistryLog
from schemas.registry.observed import ObservedKind, ObservedSubscription
from schemas.secrets import SecretUnavailable

READ_SECONDS: Final = 120.0


class InForce(RegistryLog):
    """Also knows the subscriptions that this version cannot read: they are declared."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: set[str] = set()

    def apply(self, key: str, value: bytes | None) -> None:
        """Takes one record; see `RegistryLog`."""
        kind, _, name = key.partition("/")
        if kind == Subscription.entity_kind:
            self.unread.discard(name)
            if value is not None:
                self.unread.add(name)
        super().apply(key, value)
        self.unread.discard(name)


async def read_registry_log(tools: Tools) -> InForce:
    """The registry in force. Raises `OperatorError`: none, or no broker."""
    names = tools.settings.topics
    await existing_topics(tools.kafka, (names.registry, names.observed))
    registry_log = InForce()
    reader = kafka_reader(tools.kafka)
    try:
        async with asyncio.timeout(READ_SECONDS):
            await reader.start()
            await RegistryFollower(reader, names, registry_log).catch_up()
    except BROKER_FAULTS as error:
        raise OperatorError(
            "registry_unavailable",
            f"the registry could not be read from Kafka ({type(error).__name__}); run "
            "`scanwire-receiver check`",
        ) from None
    finally:
        await end_client(reader, STOP_SECONDS)
    if registry_log.marker is None:
        # Everything that is ours would look as if it were declared no more.
        raise OperatorError(
            "registry_empty",
            "no registry is in force; run `scanwire-processors registry apply FILE` first",
        )
    return registry_log


@asynccontextmanager
async def open_ground(
    tools: Tools, registry_log: RegistryLog, *, writing: bool, tell: Callable[[str], None]
) -> AsyncIterator[Ground]:
    """Until the block ends. `writing` False: the books cannot be changed."""
    async with AsyncExitStack() as stack:
        apis: dict[str, SubscriptionsApi] = {}
        no_api: dict[str, str] = {}
        metrics = UspsMetrics(tools.metrics)
        for account in _accounts(registry_log.registry):
            try:
                client = await stack.enter_async_context(
                    usps_client(tools, account, metrics=metrics)
                )
            except SecretUnavailable as error:
                no_api[account.id] = f"account {account.id}: {error.detail}; set it where this runs"
                continue
            apis[account.id] = UspsSubscriptionsApi(client.http)
        topic = await stack.enter_async_context(_observed(tools)) if writing else _Closed()
        journal = Journal(tools.settings.state_directory)
        if writing:
            stack.enter_context(journal.alone())
        books = Books(registry_log.observed.subscriptions(), topic)
        yield Ground(apis, no_api, books, journal, tools.clock, tell)


def _accounts(registry: Registry) -> list[UspsAccount]:
    return [one for one in registry.all("usps_account") if isinstance(one, UspsAccount)]


class _Closed:
    """Books of a plan."""

    async def write(self, name: str, _: ObservedSubscription | None) -> None:
        """Nothing is done by a plan."""
        raise BooksNotWritten("read_only", f"a plan does not write ({name})")


class KafkaObserved:
    """An `ObservedTopic`: `usps.observed.v1`."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, clock: Clock) -> None:
        self._producer = producer
        self._topic = topic
        self._clock = clock

    async def write(self, name: str, seen: ObservedSubscription | None) -> None:
        """Acknowledged by every replica in sync when it returns."""
        key = f"{ObservedKind.SUBSCRIPTION}/{name}"
        time = rfc3339(self._clock.now())
        try:
            await self._producer.send_and_wait(
                self._topic,
                key=key.encode(),
                value=None if seen is None else orjson.dumps(seen.model_dump(mode="json")),
                partition=0,
                headers=record_headers(key, CloudEventType.OBSERVED, SOURCE, time, None),
            )
        except BROKER_FAULTS as error:
            raise BooksNotWritten(
                "books_not_written",
                f"the broker did not take what is known of {name} ({type(error).__name__}); "
                "when it is back run `subscriptions apply` again: it finds what was begun",
            ) from None


@asynccontextmanager
async def _observed(tools: Tools) -> AsyncIterator[KafkaObserved]:
    """Raises `OperatorError`: the broker must be there before anything is begun at USPS."""
    producer = make_producer(**tools.kafka.producer())
    try:
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
        except BROKER_FAULTS as error:
            raise OperatorError(
                "broker_unavailable", f"the broker takes no records ({type(error).__name__})"
            ) from None
        yield KafkaObserved(producer, tools.settings.topics.observed, tools.clock)
    finally:
        await end_producer(producer, CLOSE_SECONDS)
