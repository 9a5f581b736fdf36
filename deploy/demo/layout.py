"""Where the demo's files are, which ports it uses, and how a run is named."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from deploy.broker.local_broker import DEFAULT_PORT as KAFKA_PORT
from deploy.demo.merchant import DEFAULT_PORT as MERCHANT_PORT

ROOT: Final = Path(__file__).parents[2]
EXAMPLE_REGISTRY: Final = ROOT / "deploy" / "examples" / "registry.yaml"


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port; the admin ports are the programs' defaults."""

    receiver: int = 8080
    receiver_admin: int = 9100
    packages_admin: int = 9101
    router_admin: int = 9102
    sinks_admin: int = 9103
    merchant: int = MERCHANT_PORT
    kafka: int = KAFKA_PORT
    kafka_controller: int = KAFKA_PORT + 1

    @classmethod
    def beginning_at(cls, first: int) -> Self:
        """Eight ports in a row, for a second demo beside the first."""
        return cls(*range(first, first + 8))


@dataclass(frozen=True, slots=True)
class Layout:
    """The demo's directories: everything lies below `data`."""

    data: Path = ROOT / ".scanwire"
    ports: Ports = Ports()
    once: bool = False

    @property
    def broker(self) -> Path:
        """The local Kafka's data; `make broker` uses the same."""
        return self.data / "broker"

    @property
    def secrets(self) -> Path:
        """Generated once, readable by the owner only."""
        return self.data / "demo" / "secrets.json"

    @property
    def run(self) -> Path:
        """This run's files: logs, registry, local state."""
        return self.data / "demo" / ("once" if self.once else "run")

    @property
    def logs(self) -> Path:
        """One file per program, of the last start."""
        return self.run / "logs"

    @property
    def registry(self) -> Path:
        """The example registry as adapted to this run, where it had to be."""
        return self.run / "registry.yaml"

    @property
    def record(self) -> Path:
        """What the simulator sent and was answered."""
        return self.run / "record.jsonl"

    def for_once(self) -> Self:
        """The layout of a run that ends by itself."""
        return replace(self, once=True)
