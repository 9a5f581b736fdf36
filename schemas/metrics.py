"""Every metric, each with what a rise means. One class per program, made with its registry.

Labels come from closed sets or from the registry file; never a tracking number, a MID or text.
"""

from collections.abc import Mapping
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)
_COUNTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

# How a receiver of several processes makes one gauge of theirs; counters and histograms add up.
# latest: the highest, also of those that ended.
GAUGES_OVER_WORKERS: Final[Mapping[str, Literal["sum", "min", "max", "latest"]]] = {
    "usps_registry_revision": "min",
    "usps_receiver_callbacks_in_flight": "sum",
    "usps_receiver_connections": "sum",
    "usps_receiver_broker_available": "min",
    "usps_receiver_secret_last_used_timestamp_seconds": "latest",
    "usps_receiver_spool_records": "sum",
    "usps_receiver_spool_bytes": "sum",
    "usps_receiver_spool_oldest_seconds": "max",
    "usps_receiver_subscriptions_without_secret": "max",  # all read the same registry
    "usps_merchant_token_seconds_left": "min",
    "usps_merchant_token_refused": "max",
    # Each worker folds what it heard into one file, and may be half a minute behind.
    "usps_receiver_subscription_silent_seconds": "min",
    "usps_receiver_subscription_silent_ratio": "min",
    "usps_receiver_subscription_days_left": "max",
}


class RegistryMetrics:
    """In every program that follows the registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.revision = Gauge(
            "usps_registry_revision",
            "Revision of the registry in force. Programs that differ for long: one is stuck.",
            registry=registry,
        )


class ReceiverMetrics:
    """The listener and its way to the broker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.callbacks = Counter(
            "usps_receiver_callbacks_total",
            "Callbacks answered, by slug. A rise in signature_mismatch: a wrong or rotated secret.",
            ["outcome"],
            registry=registry,
        )
        self.callback_seconds = Histogram(
            "usps_receiver_callback_seconds",
            "From a callback's last byte to its answer. A rise: a slow broker.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.publish_seconds = Histogram(
            "usps_receiver_publish_seconds",
            "From sending a batch to the broker's acknowledgement. A rise: a slow broker.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_records = Histogram(
            "usps_receiver_batch_records",
            "Records per batch. A rise: more arrives per round trip to the broker.",
            buckets=_COUNTS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "usps_receiver_callbacks_in_flight",
            "Callbacks that wait for the broker. Near the setting's bound: 503 follows.",
            registry=registry,
        )
        self.broker_available = Gauge(
            "usps_receiver_broker_available",
            "1: the broker acknowledged lately. 0: callbacks go to the spool.",
            registry=registry,
        )
        self.events = Counter(
            "usps_receiver_events_total",
            "Scan events in accepted callbacks, repeats included. A rise in unknown: new codes.",
            ["category"],
            registry=registry,
        )
        self.flags = Counter(
            "usps_receiver_flags_total",
            "What was odd about accepted callbacks and events. A rise: USPS or a mailer changed.",
            ["flag"],
            registry=registry,
        )
        self.secret_matches = Counter(
            "usps_receiver_secret_matches_total",
            "Callbacks verified, by the position of the secret (0: newest). Older ones still "
            "rising after a rotation: USPS does not use the new secret.",
            ["subscription", "secret"],
            registry=registry,
        )
        self.secret_last_used = Gauge(
            "usps_receiver_secret_last_used_timestamp_seconds",
            "When a secret verified a callback last, by its position (0: newest); 0: not since the "
            "program began. One that stays behind for days is no longer used and can go.",
            ["subscription", "secret"],
            registry=registry,
        )
        self.commissioning = Counter(
            "usps_receiver_commissioning_matches_total",
            "Mismatches of subscriptions being commissioned, by what would have matched; none: "
            "nothing. A rise of one combination: declare it as the subscription's scheme.",
            ["subscription", "header", "message", "encoding"],
            registry=registry,
        )
        self.quarantined = Counter(
            "usps_receiver_quarantined_total",
            "Requests set aside. Look into the quarantine topic.",
            ["reason"],
            registry=registry,
        )
        self.quarantine_capped = Counter(
            "usps_receiver_quarantine_capped_total",
            "Refused requests that were only counted. A rise: a flood, or a broken secret.",
            ["reason"],
            registry=registry,
        )
        self.stale = Counter(
            "usps_receiver_stale_callbacks_total",
            "Callbacks reported too long ago or in the future. A rise: replays, or a wrong clock.",
            registry=registry,
        )
        self.unresolved_secrets = Gauge(
            "usps_receiver_subscriptions_without_secret",
            "Subscriptions of which no secret can be resolved: their callbacks get 503.",
            registry=registry,
        )

        self.connections = Gauge(
            "usps_receiver_connections",
            "Open connections at the listener. Near the setting's bound: more are closed at once.",
            registry=registry,
        )
        self.partings = Counter(
            "usps_receiver_connections_ended_total",
            "Connections that the listener ended for the client's fault. A rise in headers_late, "
            "body_late or silent: slow or hostile clients. too_many_connections and "
            "too_many_from_address: raise the bound, or trust the proxy. failed: a bug of ours.",
            ["reason"],
            registry=registry,
        )


class SpoolMetrics:
    """Where the receiver's records wait while the broker is slow or away."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Gauge(
            "usps_receiver_spool_records",
            "Records that wait on the disk. A rise: the broker is slow or away.",
            registry=registry,
        )
        self.bytes = Gauge(
            "usps_receiver_spool_bytes",
            "What they take. Near the setting's bound: 503 follows.",
            registry=registry,
        )
        self.oldest_seconds = Gauge(
            "usps_receiver_spool_oldest_seconds",
            "Age of the oldest of them. Rising while the broker is there: it is not drained.",
            registry=registry,
        )
        self.spooled = Counter(
            "usps_receiver_spooled_total",
            "Records put on the disk. A rise: the broker is slow or away.",
            registry=registry,
        )
        self.drained = Counter(
            "usps_receiver_spool_drained_total",
            "Records that left the disk for the broker.",
            registry=registry,
        )
        self.failures = Counter(
            "usps_receiver_spool_failures_total",
            "What went wrong with the spool. A rise: look at its disk, and at what `check` says.",
            ["reason"],
            registry=registry,
        )


class WorkersMetrics:
    """The receiver's processes, where it has several."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge(
            "usps_receiver_worker_up",
            "1: the process answered this scrape. 0: its gauges are missing in the others.",
            ["worker"],
            registry=registry,
        )
        self.restarts = Counter(
            "usps_receiver_worker_restarts_total",
            "Processes started again after they ended. A rise: look for worker_ended in the log.",
            ["worker"],
            registry=registry,
        )
        self.connections = Counter(
            "usps_receiver_worker_connections_total",
            "Connections handed to a process. Uneven for long: one does not answer, or is not "
            "ready.",
            ["worker"],
            registry=registry,
        )


class UspsMetrics:
    """Calls to USPS's own APIs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "usps_api_calls_total",
            "Calls by API and outcome. A rise in 401 or 403: credentials, scope or rights; in 429: "
            "the quota is used elsewhere too.",
            ["api", "outcome"],
            registry=registry,
        )
        self.quota_wait_seconds = Counter(
            "usps_api_quota_wait_seconds_total",
            "Time spent waiting for the quota. A steady rise: more is asked than USPS allows.",
            registry=registry,
        )
        self.token_seconds_left = Gauge(
            "usps_merchant_token_seconds_left",
            "Until a merchant's refresh token ends, by token id. Below two days: refreshing fails.",
            ["token"],
            registry=registry,
        )
        self.token_refused = Gauge(
            "usps_merchant_token_refused",
            "1: USPS takes the token no more; the merchant must authorize again.",
            ["token"],
            registry=registry,
        )


class SilenceMetrics:
    """How long USPS has not called, by subscription; refreshed every half minute.

    As this machine knows it: of several machines that share the callbacks the least counts.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Gauge(
            "usps_receiver_subscription_silent_seconds",
            "Since the last verified callback; of one never heard, since it was known.",
            ["subscription"],
            registry=registry,
        )
        self.ratio = Gauge(
            "usps_receiver_subscription_silent_ratio",
            "The same as a multiple of the longest usual gap. Above 3: USPS or the way to us is "
            "broken, or the mailer stopped. Absent: too few days are known.",
            ["subscription"],
            registry=registry,
        )
        self.days_left = Gauge(
            "usps_receiver_subscription_days_left",
            "Until USPS may delete it for silence, of 30. Alarm at 10 and below.",
            ["subscription"],
            registry=registry,
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
