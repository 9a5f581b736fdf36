"""Where benchmarks run: a real broker, a registry, and the programs as their own processes."""

import json
import os
import random
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.broker import LocalBroker, free_port
from deploy.programs import ROOT, Program, Start
from receiver.simulator.subscribers import Subscriber, read_subscribers
from schemas.secrets import Secrets

SECRET = "benchmark-secret-0123456789abcdef"[:32]
_REGISTRY = """
merchants: [{{id: acme, name: Acme, role: shipper, terms_accepted_on: 2026-03-20}}]
mids: [{{mid: "912345678", owner: acme}}]
subscriptions:
  - {{id: bench, name: bench, mid: "912345678", secrets: ["env:BENCH_USPS_SECRET"]}}
destinations:
  - {{id: bench, merchant: acme, kind: http, url: "http://127.0.0.1:{port}/bench", start: earliest,
      allow_private_addresses: true, signing_secrets: ["env:BENCH_SIGNING"]}}
"""


@dataclass
class Site:
    """One broker, one topic prefix; programs are started as they are needed."""

    directory: Path
    broker: LocalBroker
    ports: random.Random = field(default_factory=random.SystemRandom)

    def __post_init__(self) -> None:
        """Chooses ports and writes the registry."""
        self.receiver_port = free_port(self.ports)
        self.merchant_port = free_port(self.ports)
        self.registry_file = self.directory / "registry.yaml"
        self.registry_file.write_text(_REGISTRY.format(port=self.merchant_port))
        self.environ = {
            **{name: value for name, value in os.environ.items() if "SCANWIRE" not in name},
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "SCANWIRE_TOPIC_PREFIX": "bench.",
            "SCANWIRE_STATE_DIRECTORY": str(self.directory / "state"),
            "SCANWIRE_SPOOL_DIRECTORY": str(self.directory / "spool"),
            "SCANWIRE_RECEIVER_PORT": str(self.receiver_port),
            "BENCH_USPS_SECRET": SECRET,
            "BENCH_SIGNING": "whsec_" + b64encode(b"benchmark-signing-secret").decode(),
        }

    def subscriber(self) -> Subscriber:
        """As USPS has the subscription of the registry file."""
        secrets = Secrets(self.environ, lambda path: Path(path).read_text())
        return read_subscribers([self.registry_file], secrets)[0]

    def command(self, *arguments: str) -> None:
        """Runs one command to its end. Raises `CalledProcessError`."""
        subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=self.environ, check=True)

    def running(self, *arguments: str) -> Program:
        """A program of ours on an admin port of its own, to be entered."""
        port = free_port(self.ports)
        environ = {**self.environ, "SCANWIRE_ADMIN_PORT": str(port)}
        return self._program(arguments, environ, f"http://127.0.0.1:{port}/health/ready")

    def helper(self, *arguments: str, port: int) -> Program:
        """A process of the benchmark's own that listens on the port, to be entered."""
        return self._program(arguments, self.environ, f"http://127.0.0.1:{port}/stats")

    def _program(self, arguments: Sequence[str], environ: dict[str, str], url: str) -> Program:
        log = self.directory / f"{'-'.join(arguments)}.log"
        return Program(Start(arguments, environ, log), url)

    def load(self, requests: Path, port: int, *arguments: str) -> dict[str, Any]:
        """One run of the load generator."""
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", str(requests), str(port), *arguments],
            cwd=ROOT,
            env=self.environ,
            check=True,
            stdout=subprocess.PIPE,
        )
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures


@contextmanager
def site() -> Iterator[Site]:
    """A broker with an applied registry, in a temporary directory."""
    choose = random.SystemRandom()
    with tempfile.TemporaryDirectory(prefix="scanwire-bench-") as name:
        directory = Path(name)
        broker = LocalBroker(directory / "broker", free_port(choose), free_port(choose))
        with broker:
            place = Site(directory, broker)
            place.command("processors", "registry", "apply", str(place.registry_file))
            yield place
