"""The listener, its spool and its workers."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNTS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)


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
