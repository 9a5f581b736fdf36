"""Which partition a key belongs to: murmur2, the default of Kafka's Java client.

Every feed and every stage uses it, so that a piece's input, state and output share a number.
"""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition, 0 to partitions - 1. Cached: a piece is seen about a dozen times."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
