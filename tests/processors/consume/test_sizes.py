"""What the loop learns from a broker that calls batches too large."""

from processors.consume.write import BATCH_BYTES, SizeLimits


def test_nothing_is_refused_at_first() -> None:
    """A record of any size is tried."""
    assert SizeLimits().takes("t", 50_000_000)
    assert SizeLimits().batch_bytes("t") == BATCH_BYTES


def test_a_refused_batch_of_several_is_halved() -> None:
    """Until batches fit or hold one record."""
    limits = SizeLimits()
    limits.learn("t", 800_000, 100)
    assert limits.batch_bytes("t") == 400_000
    assert limits.batch_bytes("other") == BATCH_BYTES
    assert limits.takes("t", 800_000)


def test_a_refused_single_record_is_not_tried_again() -> None:
    """Nor is any that is as large, in that topic."""
    limits = SizeLimits()
    limits.learn("t", 1_200_000, 1)
    assert not limits.takes("t", 1_200_000)
    assert limits.takes("t", 1_199_999)
    assert limits.takes("other", 1_200_000)
