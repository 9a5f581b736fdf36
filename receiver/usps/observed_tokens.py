"""What is seen of tokens, written to `usps.observed.v1`."""

import asyncio
from dataclasses import dataclass

import orjson

from receiver.judging.quarantine import SOURCE
from receiver.publishing.producer import BROKER_FAULTS, CLOSE_SECONDS, START_SECONDS
from schemas.errors import OperatorError
from schemas.headers import record_headers
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_producer, make_producer
from schemas.records import CloudEventType
from schemas.registry.observed import ObservedKind, ObservedToken


@dataclass(frozen=True, slots=True)
class ObservedTokens:
    """`ObservesTokens` on Kafka. A client for each word: they come once a day."""

    kafka: KafkaOptions

    async def observe(self, token_id: str, seen: ObservedToken) -> None:
        """See `ObservesTokens`."""
        key = f"{ObservedKind.TOKEN}/{token_id}"
        headers = record_headers(key, CloudEventType.OBSERVED, SOURCE, seen.observed_at, None)
        value = orjson.dumps(seen.model_dump(mode="json"))
        producer = make_producer(**self.kafka.producer())
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
                await producer.send_and_wait(
                    self.kafka.settings.topics.observed,
                    value,
                    key=key.encode(),
                    partition=0,
                    headers=headers,
                )
        except BROKER_FAULTS as error:
            raise OperatorError(
                "observed_unwritten",
                f"what was seen of token {token_id} could not be written to Kafka "
                f"({type(error).__name__}); the token itself is kept, refresh it again",
            ) from None
        finally:
            await end_producer(producer, CLOSE_SECONDS)
