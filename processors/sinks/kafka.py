"""`kind: kafka`: a topic, on another cluster or here.

Key, value and `ce_*` headers stay as they are; the partition is Kafka's default for the key.
A repeat carries the same `ce_id`. The topic must exist: it is never made by asking for it.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.helpers import create_ssl_context

from processors.sinks.base import (
    ACCEPTED,
    AttemptResult,
    Outcome,
    Sink,
    SinkEvent,
    SinkTools,
    SinkUnusable,
)
from schemas.errors import DeliveryFailed
from schemas.headers import OUT_OF_ORDER
from schemas.kafka_clients import end_producer, make_producer
from schemas.partitions import partition_of
from schemas.registry.destinations import KafkaDestination
from schemas.secrets import Secrets

BATCH_EVENTS: Final = 500
# Below a topic's usual limit, which is for a whole batch.
BATCH_BYTES: Final = 512 * 1024
REQUEST_BYTES: Final = 8 * 1024 * 1024
START_SECONDS: Final = 10.0
# An idempotent send has no time-out of its own.
SEND_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 3.0
_KEPT_HEADERS: Final = frozenset({"content-type", OUT_OF_ORDER})
_TOO_LARGE: Final = AttemptResult(Outcome.REFUSED, detail="record_too_large", retriable=False)
_BEHIND: Final = AttemptResult(Outcome.UNAVAILABLE, detail="behind_a_failed_one")


class KafkaSink(Sink):
    """Batches of records, acknowledged by all in-sync replicas."""

    kind: ClassVar[str] = "kafka"
    max_batch: ClassVar[int] = BATCH_EVENTS
    takes_runs: ClassVar[bool] = True

    def __init__(self, destination: KafkaDestination, tools: SinkTools) -> None:
        self._destination = destination
        self._secrets = tools.secrets
        self._options: dict[str, Any] = {}
        self._producer: AIOKafkaProducer | None = None
        self._outdated = False

    @property
    def max_in_flight(self) -> int:
        """One batch after the other: a batch that fails must not be overtaken."""
        return 1

    async def open(self) -> None:
        """Resolves the password. Raises `SinkUnusable` or `SecretUnavailable`."""
        self._options = _options(self._destination, self._secrets)

    def refresh(self) -> None:
        """Signs in again with the new password before the next batch."""
        self._outdated = True

    async def close(self) -> None:
        """Ends the producer, in bounded time."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await end_producer(producer, CLOSE_SECONDS)

    async def deliver(self, events: Sequence[SinkEvent]) -> Sequence[AttemptResult]:
        """Sends a batch; after a failure the producer is made anew."""
        try:
            producer = await self._connected()
        except DeliveryFailed as error:
            return [AttemptResult(Outcome.UNAVAILABLE, detail=error.reason)] * len(events)
        results = await _send(producer, self._destination.topic, events)
        if _TOO_LARGE in results and len(events) > 1:
            # The batch was: alone, each event shows whether it is.
            alone = [await _send(producer, self._destination.topic, [event]) for event in events]
            results = _in_order(events, [result for results in alone for result in results])
        if any(result.outcome is Outcome.UNAVAILABLE for result in results):
            await self.close()
        return results

    async def _connected(self) -> AIOKafkaProducer:
        """The producer, connected, once the topic is there. Raises `DeliveryFailed`."""
        if self._outdated:
            await self.close()
            self._options = _options(self._destination, self._secrets)
            self._outdated = False
        if self._producer is not None:
            return self._producer
        producer = make_producer(**self._options)
        try:
            await _start(producer, self._destination.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await end_producer(producer, CLOSE_SECONDS)
            raise DeliveryFailed(_reason(error)) from None
        except BaseException:
            await end_producer(producer, CLOSE_SECONDS)
            raise
        self._producer = producer
        return producer


async def _start(producer: AIOKafkaProducer, topic: str) -> None:
    """Connects and looks for the topic among all: to ask for a missing one may make it."""
    async with asyncio.timeout(START_SECONDS):
        await producer.start()
        cluster = await producer.client.fetch_all_metadata()
    if not cluster.partitions_for_topic(topic):
        raise DeliveryFailed("topic_missing")


async def _send(
    producer: AIOKafkaProducer, topic: str, events: Sequence[SinkEvent]
) -> list[AttemptResult]:
    """One result per event; behind a failed event of its number none is accepted."""
    sent: list[asyncio.Future[Any] | AttemptResult] = []
    failed: set[str] = set()
    for event in events:
        if event.tracking_number in failed:
            sent.append(_BEHIND)
            continue
        try:
            sent.append(await _hand_over(producer, topic, event))
        except (KafkaError, OSError, TimeoutError) as error:
            failed.add(event.tracking_number)
            sent.append(_failure(error))
    futures = [future for future in sent if isinstance(future, asyncio.Future)]
    if futures:
        await asyncio.wait(futures, timeout=SEND_SECONDS)
    return _in_order(
        events, [one if isinstance(one, AttemptResult) else _result_of(one) for one in sent]
    )


async def _hand_over(
    producer: AIOKafkaProducer, topic: str, event: SinkEvent
) -> "asyncio.Future[Any]":
    partitions = len(await producer.partitions_for(topic))
    async with asyncio.timeout(SEND_SECONDS):
        future: asyncio.Future[Any] = await producer.send(
            topic,
            value=event.value,
            key=event.key,
            partition=partition_of(event.key, partitions),
            headers=[
                (name, value)
                for name, value in event.headers
                if name.startswith("ce_") or name in _KEPT_HEADERS
            ],
        )
    return future


def _in_order(events: Sequence[SinkEvent], results: Sequence[AttemptResult]) -> list[AttemptResult]:
    """The results, with nothing accepted behind a failed event of its number."""
    failed: set[str] = set()
    told: list[AttemptResult] = []
    for event, result in zip(events, results, strict=True):
        if result is not ACCEPTED:
            failed.add(event.tracking_number)
        told.append(_BEHIND if event.tracking_number in failed and result is ACCEPTED else result)
    return told


def _result_of(future: "asyncio.Future[Any]") -> AttemptResult:
    if not future.done():
        # It may be written yet: a repeat, which its id makes harmless.
        future.cancel()
        return AttemptResult(Outcome.UNAVAILABLE, detail="timed_out")
    if future.cancelled():
        return AttemptResult(Outcome.UNAVAILABLE, detail="connection_failed")
    error = future.exception()
    return ACCEPTED if error is None else _failure(error)


def _failure(error: BaseException) -> AttemptResult:
    if isinstance(error, MessageSizeTooLargeError):
        return _TOO_LARGE
    return AttemptResult(Outcome.UNAVAILABLE, detail=_reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError | KafkaTimeoutError):
        return "timed_out"
    if isinstance(error, TopicAuthorizationFailedError | AuthenticationFailedError):
        return "not_authorized"
    return "connection_failed"


def _options(destination: KafkaDestination, secrets: Secrets) -> dict[str, Any]:
    """Keyword arguments of the producer. Raises `SinkUnusable` or `SecretUnavailable`."""
    security = destination.security
    options: dict[str, Any] = {
        "bootstrap_servers": destination.bootstrap_servers,
        "client_id": "scanwire",
        "security_protocol": security.protocol,
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 0,
        "max_batch_size": BATCH_BYTES,
        "max_request_size": REQUEST_BYTES,
    }
    if security.protocol.startswith("SASL"):
        if not (security.sasl_mechanism and security.username and security.password):
            raise SinkUnusable(
                "sign_in_incomplete", f"{security.protocol} needs a mechanism, user and password"
            )
        options |= {
            "sasl_mechanism": security.sasl_mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": secrets.resolve(security.password).get_secret_value(),
        }
    if security.protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(security.cafile)
    return options


def _ssl_context(cafile: str | None) -> Any:  # noqa: ANN401 -- an SSLContext; aiokafka is untyped
    try:
        return create_ssl_context(cafile=None if cafile is None else Path(cafile))
    except (OSError, ValueError):
        raise SinkUnusable("cafile_unusable", "the CA file cannot be read") from None
