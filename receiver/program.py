"""What the receiver's programs are given; nothing global is made."""

from dataclasses import dataclass, field
from typing import Self

from prometheus_client import CollectorRegistry

from schemas.clock import Clock, SystemClock
from schemas.kafka import KafkaOptions
from schemas.secrets import Secrets
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Tools:
    """Settings and everything that touches the outside.

    `worker`: which of RECEIVER_WORKERS processes this one is, from 0; what is on disk for one
    process alone is named by it.
    """

    settings: Settings
    secrets: Secrets
    kafka: KafkaOptions
    clock: Clock = field(default_factory=SystemClock)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
    worker: int = 0

    @classmethod
    def of(cls, settings: Settings, secrets: Secrets, worker: int = 0) -> Self:
        """With the machine's clock. Raises `SecretUnavailable`: Kafka's password."""
        return cls(settings, secrets, KafkaOptions.of(settings, secrets), worker=worker)
