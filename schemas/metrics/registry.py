"""Every program that follows the registry."""

from prometheus_client import CollectorRegistry, Gauge


class RegistryMetrics:
    """In every program that follows the registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.revision = Gauge(
            "usps_registry_revision",
            "Revision of the registry in force. Programs that differ for long: one is stuck.",
            registry=registry,
        )
