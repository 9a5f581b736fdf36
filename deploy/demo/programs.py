"""Which programs make up the demo, with their commands and settings."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.demo.layout import Layout
from deploy.demo.processes import Program
from deploy.demo.registry import DemoRegistry
from schemas.settings import PREFIX

# They are stopped in this order after the simulator: upstream first, so that all drains.
SERVICES: Final = ("receiver", "packages", "router", "sinks", "merchants")
_PROCESSORS: Final = ("packages", "router", "sinks")


@dataclass(frozen=True, slots=True)
class Load:
    """What the simulator is to do.

    Attributes:
        packages: None: without end.
        hard: Odd journeys much more often, and a record of all that is sent.
    """

    rate: float
    seed: int
    packages: int | None = None
    hard: bool = False


class Programs:
    """Makes each `Program`; all share one environment."""

    def __init__(
        self, layout: Layout, registry: DemoRegistry, environment: Mapping[str, str]
    ) -> None:
        self._layout = layout
        self._registry = registry
        self._environment = environment

    def service(self, name: str) -> Program:
        """One of `SERVICES`."""
        ports = self._layout.ports
        if name == "merchants":
            return self._merchants()
        admin = getattr(ports, f"{name}_admin")
        module = "processors" if name in _PROCESSORS else "receiver"
        command = name if name in _PROCESSORS else "serve"
        return self._program(
            name,
            [module, command],
            f"http://127.0.0.1:{admin}/health/ready",
            {f"{PREFIX}ADMIN_PORT": str(admin)},
        )

    def apply(self) -> Program:
        """`registry apply`, which makes all topics too."""
        path = str(self._registry.path)
        return self._program("registry-apply", ["processors", "registry", "apply", path])

    def simulator(self, load: Load) -> Program:
        """USPS in a box."""
        arguments = ["--registry", str(self._registry.path), "--rate", str(load.rate)]
        arguments += ["--seed", str(load.seed)]
        arguments += ["--to", f"http://127.0.0.1:{self._layout.ports.receiver}/usps/tracking"]
        if load.packages is not None:
            arguments += ["--packages", str(load.packages)]
        if load.hard:
            arguments += ["--odd", "many", "--record", str(self._layout.record)]
        return self._program("simulator", ["receiver", "simulate", *arguments])

    def _merchants(self) -> Program:
        port = self._layout.ports.merchant
        arguments = ["deploy.demo.merchant", "--port", str(port)]
        for name, variable in self._registry.endpoints.items():
            arguments += ["--endpoint", f"{name}={variable}"]
        if self._layout.once:
            arguments.append("--keep-ids")
        return self._program("merchants", arguments, f"http://127.0.0.1:{port}/stats")

    def _program(
        self,
        name: str,
        arguments: list[str],
        ready_url: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Program:
        return Program(
            name,
            [sys.executable, "-m", *arguments],
            self._layout.logs / f"{name}.log",
            {**self._environment, **(more or {})},
            ready_url,
        )


def environment_of(
    layout: Layout, bootstrap_servers: str, topic_prefix: str, secrets: Mapping[str, str]
) -> dict[str, str]:
    """The settings and secrets that every program of this run gets."""
    return {
        **secrets,
        f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        f"{PREFIX}TOPIC_PREFIX": topic_prefix,
        f"{PREFIX}STATE_DIRECTORY": str(layout.run / "state"),
        f"{PREFIX}SPOOL_DIRECTORY": str(layout.run / "spool"),
        f"{PREFIX}RECEIVER_PORT": str(layout.ports.receiver),
        f"{PREFIX}RECEIVER_HOST": "127.0.0.1",
        f"{PREFIX}ADMIN_HOST": "127.0.0.1",
    }
