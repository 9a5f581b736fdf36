"""What USPS does: its APIs, and its silence."""

from prometheus_client import CollectorRegistry, Counter, Gauge


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
