"""How the metrics of a receiver of several processes become one."""

from collections.abc import Mapping
from typing import Final, Literal

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
