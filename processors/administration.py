"""A connection to Kafka for a command, with Kafka's faults told in the operator's words."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.errors import OperatorError
from schemas.kafka import KafkaOptions


@asynccontextmanager
async def administration(kafka: KafkaOptions) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises `OperatorError` for whatever goes wrong with Kafka meanwhile."""
    servers = kafka.settings.kafka_bootstrap_servers
    admin = AIOKafkaAdminClient(**kafka.client())
    try:
        await admin.start()
        yield admin
    except KafkaConnectionError:
        raise OperatorError(
            "broker_unreachable",
            f"no Kafka at {servers} answers and lets us in; start it (make broker), or correct "
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS and the settings to sign in",
        ) from None
    except (KafkaError, TimeoutError, OSError) as error:
        raise OperatorError(
            "broker_failed",
            f"Kafka at {servers} failed: {type(error).__name__}; look into its log, try again",
        ) from None
    finally:
        await admin.close()


async def existing_partitions(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    """Of these topics those that exist, with their number of partitions.

    Asks for all topics: to ask for one that is missing may create it.
    """
    wanted = set(names)
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in await admin.describe_topics()
        if topic["topic"] in wanted and not topic["error_code"]
    }
