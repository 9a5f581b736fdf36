"""Keys go where Kafka's Java client puts them."""

import pytest

from schemas.partitions import partition_of


@pytest.mark.parametrize(
    ("key", "murmur"),
    # Hashes as the Java client's own test states them (clients: UtilsTest.testMurmur2).
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_as_the_java_client(key: bytes, murmur: int) -> None:
    """The partition is the positive murmur2 hash modulo the count."""
    assert partition_of(key, 12) == (murmur & 0x7FFFFFFF) % 12
