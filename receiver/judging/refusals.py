"""Log lines about refused callbacks: enough to see what happens, never a flood."""

from typing import Final

import structlog

from receiver.judging.line_limit import LineLimit
from schemas.clock import Clock

log = structlog.get_logger(__name__)
LINES_PER_WINDOW: Final = 10


class RefusalLog:
    """At most ten lines per slug and minute; what was left out is counted in the next line."""

    def __init__(self, clock: Clock) -> None:
        self._limit = LineLimit(clock, LINES_PER_WINDOW)

    def note(self, slug: str, subscription: str | None) -> None:
        """`subscription` is its name in the registry; ids from outside are not logged."""
        left_out = self._limit.take(slug)
        if left_out is not None:
            log.warning(
                "callback_refused", reason=slug, subscription=subscription, left_out=left_out
            )
