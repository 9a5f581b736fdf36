"""Ends what a former owner's transaction left open although its coordinator calls it ended.

Kafka 4.3 takes a partition without a leader for deleted and skips the transaction's marker
there (TransactionMarkerChannelManager: "likely deleted already and hence can be skipped"). So a
broker that goes away while it completes a commit, with nobody in sync to take over, may leave
records that no reader of what is committed sees, and offsets that nobody is told, until the
same transactional id ends another transaction there. Whoever took the id over does so at once,
before it asks where its predecessor stopped.

Such records are taken as committed. A commit is what is lost in practice: clients here ask for
no other end, and an abort is only decided by a coordinator that is up again.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

_SECONDS: Final = 12.0


async def end_lost(
    producer: AIOKafkaProducer, places: Iterable[TopicPartition], group_id: str | None = None
) -> None:
    """Commits an empty transaction over these partitions and the group's offsets.

    Returns when its markers stand. The producer is started and outside a transaction.
    Raises Kafka's errors, `TimeoutError`.
    """
    over = list(places)
    async with asyncio.timeout(_SECONDS):
        await _commit_nothing(producer, over, group_id)
        # A commit returns before its markers stand; the next transaction begins only after.
        await _commit_nothing(producer, over, None)


async def _commit_nothing(
    producer: AIOKafkaProducer, places: Iterable[TopicPartition], group_id: str | None
) -> None:
    transaction: Any = producer._txn_manager  # noqa: SLF001 -- aiokafka adds only what it writes to
    await producer.begin_transaction()
    for place in places:
        transaction.maybe_add_partition_to_txn(place)
    if group_id is not None:
        await producer._sender._do_add_offsets_to_txn(group_id)  # noqa: SLF001
    await producer.commit_transaction()
