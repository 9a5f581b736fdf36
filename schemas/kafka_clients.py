"""aiokafka's clients with what 0.14 lacks: patience with an absent broker, and a bounded end.

Options stand in `schemas.kafka`. Nothing here connects by itself.
"""

import asyncio
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

METADATA_RETRY_SECONDS: Final = 0.5
# A producer's sender may be in several waits that nothing ends; each cancellation ends one.
_CANCELLATIONS: Final = 5
_CANCELLATION_SECONDS: Final = 0.5


def make_consumer(**options: Any) -> AIOKafkaConsumer:  # noqa: ANN401 -- aiokafka's own
    """A consumer, not started. Needs a running loop."""
    consumer = AIOKafkaConsumer(**options)
    _be_patient(consumer._client)  # noqa: SLF001 -- it has no other name
    return consumer


def make_producer(**options: Any) -> AIOKafkaProducer:  # noqa: ANN401 -- aiokafka's own
    """A producer, not started. Needs a running loop."""
    producer = AIOKafkaProducer(**options)
    _be_patient(producer.client)
    _fail_in_order(producer._message_accumulator)  # noqa: SLF001
    return producer


def _be_patient(client: Any) -> None:  # noqa: ANN401 -- aiokafka's own
    """Waits between failed looks for the cluster.

    While a broker refuses connections, 0.14's fetcher asks for metadata again at once: one
    consumer wrote 2,000 log lines a second and took a core.
    """
    look = client._metadata_update  # noqa: SLF001 -- there is no setting for it

    async def look_and_wait(*arguments: Any) -> bool:  # noqa: ANN401 -- aiokafka's own
        found: bool = await look(*arguments)
        if not found:
            await asyncio.sleep(METADATA_RETRY_SECONDS)
        return found

    client._metadata_update = look_and_wait  # noqa: SLF001


def _fail_in_order(accumulator: Any) -> None:  # noqa: ANN401 -- aiokafka's own
    """Lets a producer that dies fail the batches that wait for another try.

    0.14 takes them for pending, which they are not while they wait: a KeyError in a callback.
    """
    fail_all = accumulator.fail_all

    def fail_pending(error: BaseException) -> None:
        for batches in accumulator._batches.values():  # noqa: SLF001
            accumulator._pending_batches.update(  # noqa: SLF001
                batch for batch in batches if batch.retry_count
            )
        fail_all(error)

    accumulator.fail_all = fail_pending


class Stoppable(Protocol):
    """A client of aiokafka."""

    async def stop(self) -> None:
        """Ends it; may wait for the broker without limit."""


async def end_client(client: Stoppable, within_seconds: float) -> None:
    """Ends a consumer in bounded time, whatever state it is in; raises nothing of it.

    Its `stop()` runs as a task of its own: 0.14's fetcher lets the cancellation of its own
    fetches out (one that waits after a failed fetch), which would look like ours, and leaves
    the connections open then.
    """
    if not await _finished(asyncio.ensure_future(client.stop()), within_seconds):
        connections = getattr(client, "_client", None)
        if connections is not None:
            await _finished(asyncio.ensure_future(connections.close()), within_seconds)


async def end_producer(producer: AIOKafkaProducer, within_seconds: float) -> None:
    """Flushes and ends a producer; one that cannot in time is cut off. Raises nothing of it.

    Whoever still waits for one of its batches hears of the end.
    """
    if await _finished(asyncio.ensure_future(producer.stop()), within_seconds):
        return
    producer._message_accumulator.fail_all(KafkaError("closed"))  # noqa: SLF001
    sender: asyncio.Task[None] | None = producer._sender.sender_task  # noqa: SLF001
    for _ in range(_CANCELLATIONS):
        if sender is None or sender.done():
            break
        sender.cancel()
        await asyncio.wait([sender], timeout=_CANCELLATION_SECONDS)
    await _finished(asyncio.ensure_future(producer.client.close()), within_seconds)


async def _finished(task: "asyncio.Future[None]", within_seconds: float) -> bool:
    """Whether it ended well in time; it is cancelled otherwise."""
    _, late = await asyncio.wait([task], timeout=within_seconds)
    if late:
        task.cancel()
        await asyncio.wait([task], timeout=within_seconds)
    return task.done() and not task.cancelled() and task.exception() is None
