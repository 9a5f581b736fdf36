"""Commissioning of a subscription: what a signature that did not match would have matched.

It only reports. Whether a callback is let in is decided by the declared scheme alone.
"""

from typing import Final

import structlog

from receiver.following.subscriptions import KnownSubscription
from receiver.judging.line_limit import LineLimit
from schemas.clock import Clock
from schemas.metrics import ReceiverMetrics
from schemas.usps.callback import RawCallback
from schemas.usps.signature import OFFICIAL_SCHEME
from schemas.usps.signature_search import Match, search_signature

log = structlog.get_logger(__name__)
# A look costs up to twelve times what a verification costs; a flood must not have it.
LOOKS_PER_MINUTE: Final = 10
_NONE: Final = "none"
_OTHER: Final = "other"


class Commissioning:
    """Looks into mismatches, so many per subscription and minute."""

    def __init__(self, clock: Clock, metrics: ReceiverMetrics) -> None:
        self._limit = LineLimit(clock, LOOKS_PER_MINUTE)
        self._metrics = metrics

    def look(self, callback: RawCallback, subscription: KnownSubscription) -> None:
        """Logs and counts what would have matched, if the subscription is being commissioned."""
        if not subscription.commissioning:
            return
        left_out = self._limit.take(subscription.name)
        if left_out is None:
            return
        matches = search_signature(callback, subscription.secrets)
        for match in matches:
            self._count(subscription, _header_label(match, subscription), match)
        if not matches:
            self._metrics.commissioning.labels(subscription.name, _NONE, _NONE, _NONE).inc()
        log.warning(
            "commissioning_looked",
            subscription=subscription.name,
            would_match=[_readable(match) for match in matches],
            left_out=left_out,
        )

    def _count(self, subscription: KnownSubscription, header: str, match: Match) -> None:
        labels = (header, match.message.value, match.encoding.value)
        self._metrics.commissioning.labels(subscription.name, *labels).inc()


def _header_label(match: Match, subscription: KnownSubscription) -> str:
    """From a closed set: the official names, the declared ones, or `other` (the log names it)."""
    known = {*OFFICIAL_SCHEME.header_names, *subscription.scheme.header_names}
    return match.header if match.header.encode("latin-1") in known else _OTHER


def _readable(match: Match) -> dict[str, object]:
    return {
        "header": match.header,
        "message": match.message.value,
        "encoding": match.encoding.value,
        "secret": match.secret_index,
    }
