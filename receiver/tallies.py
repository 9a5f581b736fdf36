"""Counting what is accepted: metric children looked up once, since this is the hot path."""

from collections.abc import Iterable

from prometheus_client import Counter

from receiver.answers import ANSWERS
from schemas.event import EventCategory
from schemas.metrics import ReceiverMetrics
from schemas.usps.flags import FLAGS


class Tallies:
    """The receiver's counters, each label value bound once."""

    def __init__(self, metrics: ReceiverMetrics) -> None:
        self._secret_matches = metrics.secret_matches
        self._seconds = metrics.callback_seconds
        self._outcomes = {slug: metrics.callbacks.labels(slug) for slug in ANSWERS}
        self._categories = {
            category.value: metrics.events.labels(category.value) for category in EventCategory
        }
        self._flags = {flag: metrics.flags.labels(flag) for flag in FLAGS}
        self._matches: dict[tuple[str, int], Counter] = {}

    def answered(self, outcome: str, seconds: float) -> None:
        """A callback got this answer, so long after its last byte."""
        self._outcomes[outcome].inc()
        self._seconds.observe(seconds)

    def refused_early(self, outcome: str) -> None:
        """A request was refused before its last byte."""
        self._outcomes[outcome].inc()

    def matched(self, subscription: str, secret_index: int) -> None:
        """Which secret verified a callback: names and indices are bounded by the registry."""
        key = (subscription, secret_index)
        counter = self._matches.get(key)
        if counter is None:
            counter = self._secret_matches.labels(subscription, str(secret_index))
            self._matches[key] = counter
        counter.inc()

    def published(self, categories: Iterable[str], flags: Iterable[str]) -> None:
        """What an accepted callback held."""
        for category in categories:
            self._categories[category].inc()
        for flag in flags:
            self._flags[flag].inc()
