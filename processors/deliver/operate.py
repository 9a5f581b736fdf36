"""What an operator does to a destination: `destinations enable` and `destinations resume`."""

from collections.abc import Sequence
from itertools import groupby

import orjson
from aiokafka import AIOKafkaProducer

from processors.deliver.settlements import SOURCE
from processors.deliver.standing import LostRange
from processors.registry.groups import GroupInUse, Groups
from schemas.clock import Clock, rfc3339
from schemas.errors import OperatorError
from schemas.headers import record_headers
from schemas.kafka import KafkaOptions
from schemas.partitions import partition_of
from schemas.records import CloudEventType, Delivery, DeliveryOutcome
from schemas.registry.destinations import DestinationBase
from schemas.registry.observed import ObservedKind


async def enable(kafka: KafkaOptions, destination_id: str, clock: Clock) -> None:
    """Ends what a 410 began: the observation is taken back."""
    key = f"{ObservedKind.DISABLED}/{destination_id}"
    headers = record_headers(key, CloudEventType.OBSERVED, SOURCE, rfc3339(clock.now()), None)
    async with AIOKafkaProducer(**kafka.producer()) as producer:
        await producer.send_and_wait(
            kafka.settings.topics.observed, key=key.encode(), partition=0, headers=headers
        )


async def resume(
    kafka: KafkaOptions, destination: DestinationBase, lost: Sequence[LostRange], clock: Clock
) -> None:
    """1. The lost ranges are written down. 2. The group goes on behind them.

    Raises `OperatorError`: a program reads as the group.
    """
    names, now = kafka.settings.topics, rfc3339(clock.now())
    key = destination.id.encode()
    async with AIOKafkaProducer(**kafka.producer()) as producer:
        partitions = len(await producer.partitions_for(names.deliveries))
        for one in lost:
            if one.last < one.first:
                continue
            record_id = f"{destination.id}/{one.partition.partition}/{one.first}/lost"
            await producer.send_and_wait(
                names.deliveries,
                key=key,
                value=orjson.dumps(_lost(destination, one, now).model_dump(mode="json")),
                partition=partition_of(key, partitions),
                headers=record_headers(record_id, CloudEventType.DELIVERY, SOURCE, now, None),
            )
    group = names.sink_group(destination.id)
    async with Groups(kafka) as groups:
        try:
            for topic, ranges in groupby(lost, key=lambda one: one.partition.topic):
                offsets = {one.partition.partition: one.resume_at for one in ranges}
                await groups.begin_at(group, topic, offsets)
        except GroupInUse:
            raise OperatorError(
                "group_in_use",
                f"a program reads as destination {destination.id} and did not leave; try again",
            ) from None


def _lost(destination: DestinationBase, lost: LostRange, now: str) -> Delivery:
    return Delivery(
        destination=destination.id,
        merchant=destination.merchant,
        event_id=None,
        tracking_number=None,
        topic=lost.partition.topic,
        partition=lost.partition.partition,
        offset=lost.first,
        grant=None,
        outcome=DeliveryOutcome.LOST,
        attempts=0,
        first_attempt_at=None,
        settled_at=now,
        latency_seconds=None,
        lost_through=lost.last,
    )
