"""Quantiles of durations in bounded memory: counts per bucket, each 5 % wider than the last."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

_GROWTH: Final = 1.05
_SHORTEST_SECONDS: Final = 1e-5


class Latencies:
    """Durations in seconds; a quantile is at most 5 % too high."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._buckets: Counter[int] = Counter()
        self._count = 0
        for one in seconds:
            self.add(one)

    def add(self, seconds: float) -> None:
        """One more; what is below 10 us counts as 10 us."""
        ratio = max(seconds, _SHORTEST_SECONDS) / _SHORTEST_SECONDS
        self._buckets[math.ceil(math.log(ratio, _GROWTH))] += 1
        self._count += 1

    def quantile(self, share: float) -> float | None:
        """The duration that this share of all (0 to 1) stays within; None without any."""
        if not self._count:
            return None
        wanted = max(1, math.ceil(self._count * share))
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                return round(_SHORTEST_SECONDS * _GROWTH**bucket, 6)
        return None
