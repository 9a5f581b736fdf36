"""The whole of scanwire on one real broker, as processes, with a registry and merchants."""

import asyncio
import os
import random
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.broker import LocalBroker, free_port
from deploy.programs import ROOT, Program, Start
from receiver.simulator.subscribers import Subscriber, read_subscribers
from schemas.secrets import Secrets
from tests.system.merchant import Merchants

SIGNING_SECRET = "whsec_" + b64encode(b"a signing secret of the tests").decode()
USPS_SECRETS = {f"USPS_SECRET_{name}": f"{name}-secret".ljust(32, "x") for name in "ABC"}
SETTLE_SECONDS = 90.0

# acme and beta see their own events; gamma has not accepted the terms; delta is a platform with
# a grant for acme's MID; epsilon pays, but its agreement begins later.
REGISTRY = """
merchants:
  - {{id: acme, name: Acme, role: shipper, terms_accepted_on: 2026-03-20}}
  - {{id: beta, name: Beta, role: shipper, terms_accepted_on: 2026-03-20}}
  - {{id: gamma, name: Gamma, role: shipper}}
  - {{id: delta, name: Delta, role: platform, terms_accepted_on: 2026-03-20}}
  - id: epsilon
    name: Epsilon
    role: service_provider
    terms_accepted_on: 2026-03-20
    ip_agreement: {{reference: IPA-1, from: 2099-01-01}}
    eps_account: "1"
mids:
  - {{mid: "912345678", owner: acme}}
  - {{mid: "123456", owner: beta}}
  - {{mid: "987654321", owner: gamma}}
merchant_access_tokens:
  - {{id: acme-delta, merchant: acme, platform: delta, state: active}}
grants:
  - {{id: g-delta, merchant: delta, mid: "912345678", channels: [webhook],
      basis: merchant_access_token, reference: acme-delta}}
  - {{id: g-epsilon, merchant: epsilon, mid: "912345678", channels: [webhook],
      basis: ip_agreement, reference: IPA-1}}
subscriptions:
  - {{id: sub-a, name: a, mid: "912345678", secrets: ["env:USPS_SECRET_A"]}}
  - {{id: sub-b, name: b, mid: "123456", event_types: [SCAN_EVENT_EXTRACT],
      secrets: ["env:USPS_SECRET_B"]}}
  - {{id: sub-c, name: c, mid: "987654321", secrets: ["env:USPS_SECRET_C"]}}
destinations:
{destinations}
"""
DESTINATION = (
    '  - {{id: {name}-feed, merchant: {name}, kind: http, url: "http://127.0.0.1:{port}/{name}", '
    'start: earliest, allow_private_addresses: true, signing_secrets: ["env:SIGNING"]}}'
)
MERCHANTS = ("acme", "beta", "gamma", "delta", "epsilon")
PROGRAMS = {
    "receiver": ("receiver", "serve"),
    "packages": ("processors", "packages"),
    "router": ("processors", "router"),
    "sinks": ("processors", "sinks"),
}


@dataclass
class World:
    """One run; `programs` by their name."""

    directory: Path
    environ: dict[str, str]
    registry_file: Path
    receiver_port: int
    merchants: Merchants
    programs: dict[str, Program] = field(default_factory=dict)

    @property
    def listener(self) -> str:
        """Where USPS calls."""
        return f"http://127.0.0.1:{self.receiver_port}/usps/tracking"

    def subscribers(self) -> list[Subscriber]:
        """As USPS has them."""
        return read_subscribers(
            [self.registry_file], Secrets(self.environ, lambda path: Path(path).read_text())
        )

    async def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command of `scanwire-processors` to its end."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "processors", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    async def start(self, name: str) -> Program:
        """Starts a program and waits until it is ready."""
        port = free_port(random.SystemRandom())
        environ = {**self.environ, "SCANWIRE_ADMIN_PORT": str(port)}
        log = self.directory / f"{name}.log"
        program = Program(
            Start(PROGRAMS[name], environ, log), f"http://127.0.0.1:{port}/health/ready"
        )
        self.programs[name] = program
        await asyncio.to_thread(program.wait_ready)
        return program

    async def kill_and_restart(self, name: str) -> None:
        """As a crash, and a supervisor that starts it again."""
        program = self.programs[name]
        await asyncio.to_thread(program.kill)
        program.restart()
        await asyncio.to_thread(program.wait_ready, 45.0)

    async def settled(self, wanted: dict[str, set[str]]) -> dict[str, set[str]]:
        """Waits until each merchant has what is wanted; returns what is missing in the end."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            missing = {
                name: ids - self.merchants.of(name).event_ids for name, ids in wanted.items()
            }
            if not any(missing.values()) or time.monotonic() > deadline:
                return {name: ids for name, ids in missing.items() if ids}
            await asyncio.sleep(0.2)

    async def ledger_balanced(self) -> str:
        """Empty when it balances within the time; else what the ledger says."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            done = await self.command("ledger")
            if done.returncode == 0 or time.monotonic() > deadline:
                return "" if done.returncode == 0 else done.stdout + done.stderr
            await asyncio.sleep(1.0)

    async def end(self) -> dict[str, int]:
        """SIGTERM to each program; their exit codes."""
        return {
            name: await asyncio.to_thread(program.end) for name, program in self.programs.items()
        }


@asynccontextmanager
async def running_world(broker: LocalBroker, prefix: str, directory: Path) -> AsyncIterator[World]:
    """Applied registry, listening merchants, all programs ready; ended afterwards."""
    choose = random.SystemRandom()
    merchant_port, receiver_port = free_port(choose), free_port(choose)
    registry_file = directory / "registry.yaml"
    lines = [DESTINATION.format(name=name, port=merchant_port) for name in MERCHANTS]
    registry_file.write_text(REGISTRY.format(destinations="\n".join(lines)))
    environ = {
        **{name: value for name, value in os.environ.items() if "SCANWIRE" not in name},
        **USPS_SECRETS,
        "SIGNING": SIGNING_SECRET,
        "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "SCANWIRE_TOPIC_PREFIX": prefix,
        "SCANWIRE_TOPIC_PARTITIONS": "3",
        "SCANWIRE_STATE_DIRECTORY": str(directory / "state"),
        "SCANWIRE_SPOOL_DIRECTORY": str(directory / "spool"),
        "SCANWIRE_RECEIVER_PORT": str(receiver_port),
        "SCANWIRE_SINK_RETRY_SECONDS": "0.2,0.5,1,2,5,5,5,5,5,5",
    }
    merchants = Merchants(SIGNING_SECRET)
    world = World(directory, environ, registry_file, receiver_port, merchants)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(merchants.listening(merchant_port))
        applied = await world.command("registry", "apply", str(registry_file))
        assert applied.returncode == 0, applied.stderr
        stack.push_async_callback(_kill_rest, world)
        await asyncio.gather(*(world.start(name) for name in PROGRAMS))
        yield world


async def _kill_rest(world: World) -> None:
    for program in world.programs.values():
        if program.process.poll() is None:
            await asyncio.to_thread(program.kill)
