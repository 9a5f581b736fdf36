"""Looks whether the topics are there, without making them: a read must not create a topic."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient

from schemas.kafka import KafkaOptions


async def problems_with_topics(kafka: KafkaOptions, topic: str, needs: Sequence[str]) -> list[str]:
    """What is wrong with the input topic and those written to, a sentence each.

    Output goes to the input's partition number, so no topic may have fewer partitions.
    """
    partitions = await _partitions(kafka)
    missing = [name for name in (topic, *needs) if name not in partitions]
    if missing:
        wanted = "run `scanwire-processors topics` or `scanwire-processors registry apply`"
        return [f"topics are missing: {', '.join(missing)}; {wanted}"]
    return [
        f"{name} has {partitions[name]} partitions and {topic} has {partitions[topic]}; "
        "they must be equal, run `scanwire-processors topics`"
        for name in needs
        if partitions[name] < partitions[topic]
    ]


async def _partitions(kafka: KafkaOptions) -> dict[str, int]:
    """How many partitions each topic of the cluster has."""
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        # All of them: a question for a name would let the broker make it.
        described = await admin.describe_topics()
    finally:
        await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in described}
