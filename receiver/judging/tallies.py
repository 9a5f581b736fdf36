"""Counting on the hot path: in plain integers, handed to the metrics when somebody looks."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from receiver.following.subscriptions import KnownSubscription
from receiver.judging.secret_times import SecretTimes
from schemas.metrics import ReceiverMetrics


class BeforeScrape(Collector):
    """Calls a function before each scrape. To be made before what the function writes to."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.call: Callable[[], None] = lambda: None
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Has no metrics of its own."""
        self.call()
        return []


class Tallies:
    """What was counted since the last scrape; `flush` is for `BeforeScrape`."""

    def __init__(self, metrics: ReceiverMetrics) -> None:
        self._metrics = metrics
        self._observe = metrics.callback_seconds.observe
        self._outcomes: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._flags: Counter[str] = Counter()
        self._matches: Counter[tuple[str, int]] = Counter()
        self._secret_times = SecretTimes()
        self._partings: Counter[str] = Counter()
        self._connections = 0
        self._stale = 0
        self._heard: dict[str, datetime] = {}

    def answered(self, outcome: str, seconds: float) -> None:
        """A callback got this answer, so long after its last byte."""
        self._outcomes[outcome] += 1
        self._observe(seconds)

    def refused_early(self, outcome: str) -> None:
        """A request was refused before its last byte."""
        self._outcomes[outcome] += 1

    def connections(self, opened: int) -> None:
        """So many more connections are open."""
        self._connections += opened

    def parted(self, reason: str) -> None:
        """The listener ended a connection."""
        self._partings[reason] += 1

    def matched(self, subscription: KnownSubscription, index: int, received: datetime) -> None:
        """Which secret verified a callback: names and indices are bounded by the registry."""
        self._matches[subscription.name, index] += 1
        self._secret_times.used(subscription.name, subscription.secrets, index, received)

    def heard(self, subscription: str, at: datetime) -> None:
        """USPS called: a callback of this subscription was verified."""
        self._heard[subscription] = at

    def take_heard(self) -> dict[str, datetime]:
        """The last call of each subscription since this was asked before."""
        heard, self._heard = self._heard, {}
        return heard

    def stale(self) -> None:
        """A callback was reported too long ago or in the future."""
        self._stale += 1

    def published(self, categories: Iterable[str], flags: Iterable[str]) -> None:
        """What an accepted callback held."""
        counts = self._categories
        for category in categories:
            counts[category] += 1
        for flag in flags:
            self._flags[flag] += 1

    def flush(self) -> None:
        """Hands everything over."""
        for outcome, count in self._outcomes.items():
            self._metrics.callbacks.labels(outcome).inc(count)
        for category, count in self._categories.items():
            self._metrics.events.labels(category).inc(count)
        for flag, count in self._flags.items():
            self._metrics.flags.labels(flag).inc(count)
        for (name, index), count in self._matches.items():
            self._metrics.secret_matches.labels(name, str(index)).inc(count)
        self._secret_times.flush(self._metrics)
        self._metrics.stale.inc(self._stale)
        self._stale = 0
        self._metrics.connections.set(self._connections)
        for reason, count in self._partings.items():
            self._metrics.partings.labels(reason).inc(count)
        for counter in (self._outcomes, self._categories, self._flags, self._matches):
            counter.clear()
        self._partings.clear()
