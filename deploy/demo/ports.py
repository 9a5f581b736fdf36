"""Looks at the ports before anything is started, and says whose a taken one is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deploy.broker.ports import is_free, owner_of
from deploy.demo.cluster import BOOTSTRAP
from deploy.demo.layout import Ports

_KAFKA: Final = "Kafka"


@dataclass(frozen=True, slots=True)
class Taken:
    """A port that somebody else has."""

    port: int
    wanted_for: str
    owner: str

    def __str__(self) -> str:
        """The sentence for whoever started the demo."""
        way_out = "use other ports: python -m deploy.demo --ports-from 21000"
        if self.wanted_for == _KAFKA:
            way_out = f"if it is a Kafka, use it: {BOOTSTRAP}=127.0.0.1:{self.port} make run"
        return (
            f"Port {self.port} ({self.wanted_for}) is in use by {self.owner}. Stop that and start "
            f"again; or {way_out}."
        )


def taken(ports: Ports, *, own_kafka: bool) -> list[Taken]:
    """The ports that are not free. `own_kafka`: whether a broker is to be started too."""
    return [
        Taken(port, purpose, owner_of(port))
        for port, purpose in _wanted(ports, own_kafka=own_kafka)
        if not is_free(port)
    ]


def _wanted(ports: Ports, *, own_kafka: bool) -> Iterator[tuple[int, str]]:
    yield ports.receiver, "the receiver's listener"
    yield ports.receiver_admin, "the receiver's health and metrics"
    yield ports.packages_admin, "packages' health and metrics"
    yield ports.router_admin, "the router's health and metrics"
    yield ports.sinks_admin, "the sinks' health and metrics"
    yield ports.merchant, "the simulated merchants"
    if own_kafka:
        yield ports.kafka, _KAFKA
        yield ports.kafka_controller, "Kafka's controller"
