"""Packages, router and sinks."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_SECONDS: Final = (
    0.01,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    15.0,
    60.0,
    300.0,
    3600.0,
    86400.0,
)


class PackagesMetrics:
    """What is new, and the state of pieces."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.updates = Counter(
            "usps_packages_updates_total",
            "Updates read: new, repeat or dead_lettered. A rise in dead_lettered: look there.",
            ["outcome"],
            registry=registry,
        )
        self.events = Counter(
            "usps_packages_events_total",
            "Events judged: new, new_evidence, repeat, variant, late, restated, too_old.",
            ["outcome"],
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "usps_packages_batch_seconds",
            "One transaction. A rise: a slow broker or disk.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "usps_packages_lag_records",
            "Updates not yet processed. A steady rise: too few processes.",
            ["partition"],
            registry=registry,
        )
        self.restored = Counter(
            "usps_packages_restored_states_total",
            "States read back from Kafka at assignment. A rise: rebalances or a lost disk.",
            registry=registry,
        )
        self.aborted = Counter(
            "usps_packages_transactions_aborted_total",
            "Transactions given up and tried again. A rise: an unwell broker.",
            registry=registry,
        )
        self.lost = Gauge(
            "usps_packages_position_lost",
            "1: the position fell out of the log; that partition's updates wait. Readiness names "
            "the range; only resetting the group's offset goes on.",
            ["partition"],
            registry=registry,
        )


class RouterMetrics:
    """Who may see what."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.decisions = Counter(
            "usps_router_decisions_total",
            "Decisions per event and party: allowed, or the reason of withholding.",
            ["outcome"],
            registry=registry,
        )
        self.events = Counter(
            "usps_router_events_total",
            "Events read. Flat while packages' events rise: the router is stuck.",
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "usps_router_batch_seconds",
            "One batch: merchants' records and the transaction. A rise: a slow broker.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "usps_router_lag_records",
            "Events not yet routed. A steady rise: too few processes.",
            ["partition"],
            registry=registry,
        )
        self.aborted = Counter(
            "usps_router_transactions_aborted_total",
            "Transactions given up and tried again. A rise: an unwell broker.",
            registry=registry,
        )
        self.lost = Gauge(
            "usps_router_position_lost",
            "1: the position fell out of the log; that partition's events wait. Readiness names "
            "the range; only resetting the group's offset goes on.",
            ["partition"],
            registry=registry,
        )


class SinkMetrics:
    """Delivery to destinations; their ids are bounded by the registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "usps_sink_deliveries_total",
            "Deliveries settled. A rise in dead_lettered: that merchant refuses events.",
            ["destination", "outcome"],
            registry=registry,
        )
        self.attempts = Counter(
            "usps_sink_attempts_total",
            "Delivery attempts. A rise in other outcomes than accepted: that merchant is unwell.",
            ["destination", "outcome"],
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "usps_sink_attempt_seconds",
            "One attempt. A rise: slow merchants.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.latency_seconds = Histogram(
            "usps_sink_latency_seconds",
            "From receipt of the callback to the merchant's acceptance. What merchants feel.",
            buckets=_LONG_SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "usps_sink_lag_records",
            "Records of a destination not yet settled. A steady rise: it is down or too slow.",
            ["destination"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "usps_sink_attempts_in_flight",
            "Attempts under way.",
            ["destination"],
            registry=registry,
        )
        self.breaker_open = Gauge(
            "usps_sink_breaker_open",
            "1: the destination fails as a whole and is only probed.",
            ["destination"],
            registry=registry,
        )
        self.stopped = Gauge(
            "usps_sink_stopped",
            "1: the destination is stopped (410, lost position, unusable declaration).",
            ["destination"],
            registry=registry,
        )
