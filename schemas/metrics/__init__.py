"""Every metric, each with what a rise means. One class per program, made with its registry.

Labels come from closed sets or from the registry file; never a tracking number, a MID or text.
"""

from schemas.metrics.over_workers import GAUGES_OVER_WORKERS
from schemas.metrics.processors import PackagesMetrics, RouterMetrics, SinkMetrics
from schemas.metrics.receiver import ReceiverMetrics, SpoolMetrics, WorkersMetrics
from schemas.metrics.registry import RegistryMetrics
from schemas.metrics.usps import SilenceMetrics, UspsMetrics

__all__ = [
    "GAUGES_OVER_WORKERS",
    "PackagesMetrics",
    "ReceiverMetrics",
    "RegistryMetrics",
    "RouterMetrics",
    "SilenceMetrics",
    "SinkMetrics",
    "SpoolMetrics",
    "UspsMetrics",
    "WorkersMetrics",
]
