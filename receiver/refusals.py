"""Log lines about refused callbacks: enough to see what happens, never a flood."""

from collections import Counter
from typing import Final

import structlog

from schemas.clock import Clock

log = structlog.get_logger(__name__)
LINES_PER_WINDOW: Final = 10
WINDOW_SECONDS: Final = 60.0


class RefusalLog:
    """At most ten lines per slug and minute; what was left out is counted in the next line."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window = float("-inf")
        self._lines: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def note(self, slug: str, subscription: str | None) -> None:
        """`subscription` is its name in the registry; ids from outside are not logged."""
        now = self._clock.monotonic()
        if now - self._window >= WINDOW_SECONDS:
            self._window = now
            self._lines.clear()
        if self._lines[slug] >= LINES_PER_WINDOW:
            self._left_out[slug] += 1
            return
        self._lines[slug] += 1
        left_out = self._left_out.pop(slug, 0)
        log.warning("callback_refused", reason=slug, subscription=subscription, left_out=left_out)
