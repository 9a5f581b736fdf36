"""`subscriptions` as operators run it: a real Kafka, a running receiver, USPS over HTTP."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from deploy.broker import LocalBroker
from receiver.__main__ import build_parser
from receiver.program import Tools
from schemas.secrets import Secrets
from schemas.settings import Settings
from tests.receiver.fakes import FakeClock
from tests.receiver.site import Site, until
from tests.receiver.subscribing.memory import URL, Fuse, MemoryUsps, Oddities
from tests.receiver.subscribing.usps_server import UspsServer, served
from tests.receiver.world import PAYLOAD, callback

REGISTRY = """
usps_accounts:
  - id: main
    environment: simulator
    client_id: env:ID
    client_secret: env:SECRET
    base_url: {usps}
merchants: [{{id: acme, name: Acme, role: shipper, terms_accepted_on: 2026-03-20}}]
mids: [{{mid: "998877665", owner: acme}}, {{mid: "998877666", owner: acme}}]
"""
SUBSCRIPTION = """
subscriptions:
  - name: acme
    account: main
    mid: "{mid}"
    listener_url: {url}
    admin_emails: [usps-alerts@acme.example]
    secrets: ["file:{secret}"]
"""


class Ended(NamedTuple):
    """A command's end."""

    code: int
    stdout: str
    stderr: str


async def run(environ: Mapping[str, str], arguments: Sequence[str]) -> Ended:
    """As the console script does, but for the signals: a process takes seconds to start."""
    parsed = build_parser().parse_args(["subscriptions", *arguments])
    secrets = Secrets(environ, lambda path: Path(path).read_text(encoding="utf-8"))
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = await parsed.work(parsed, Tools.of(Settings.from_environ(environ), secrets))
    return Ended(code, stdout.getvalue(), stderr.getvalue())


@dataclass
class Town:
    """A receiver and USPS."""

    site: Site
    usps: MemoryUsps
    secret: Path
    url: str
    told: str = ""

    async def apply_registry(self, mid: str | None) -> None:
        """With one subscription for this MID, or none."""
        text = REGISTRY.format(usps=self.url)
        if mid is not None:
            text += SUBSCRIPTION.format(mid=mid, url=URL, secret=self.secret)
        self.site.registry_file.write_text(text)
        await asyncio.to_thread(self.site.apply)

    async def subscriptions(self, *arguments: str) -> Ended:
        """One command; what it tells is kept."""
        ended = await run(self.site.environ, arguments)
        self.told += ended.stdout + ended.stderr
        return ended

    async def accepts(self, subscription_id: str, number: str) -> bool:
        """Whether a callback that USPS would send is answered 200."""
        body, headers = callback(
            {**PAYLOAD, "trackingNumber": number},
            subscription_id=subscription_id,
            secret=self.secret.read_bytes(),
        )
        return (await self.site.post(body, headers)).status == 200

    async def mids(self) -> dict[str, str]:
        """The MID of each piece's updates."""
        return {one["tracking_number"]: one["mid"] for one in await self.site.updates()}


@asynccontextmanager
async def town(broker: LocalBroker, prefix: str, directory: Path) -> AsyncIterator[Town]:
    """A registry that declares a subscription which USPS does not have."""
    usps = MemoryUsps("main", FakeClock(), Fuse(), Oddities(echo="plain"))
    server = UspsServer(usps)
    server.echo_in_errors = True
    async with served(server) as url:
        site = Site(broker, prefix, directory)
        site.environ |= {
            "ID": "sample-id",
            "SECRET": "sample-secret",
            "SCANWIRE_USPS_CALLS_PER_HOUR": "100000",
            "SCANWIRE_USPS_CALLS_BURST": "1000",
        }
        one = Town(site, usps, directory / "made" / "secret", url)
        await one.apply_registry("998877665")
        async with site:
            yield one


async def test_receiver_obeys_what_apply_finds(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """From declaration to callback, to another MID, to the end; and no secret is ever told."""
    async with town(broker, topic_prefix, tmp_path) as one:
        assert (await one.subscriptions("plan")).code == 1, "there is no secret yet"
        planned = await one.subscriptions("plan", "--generate-secrets", "--json")
        assert planned.code == 2
        document = orjson.loads(planned.stdout)
        assert [step["step"] for step in document["subscriptions"][0]["steps"]] == ["create"]
        assert not one.usps.stored
        assert not one.secret.exists()

        assert (await one.subscriptions("apply", "--generate-secrets")).code == 0
        [first] = one.usps.stored
        await until(lambda: one.accepts(first, "TEST0001"), 5)
        assert (await one.subscriptions("plan")).code == 0

        # What USPS still sends for the old MID is never taken for the new one's.
        await one.apply_registry("998877666")
        await until(lambda: one.accepts(first, "TEST0002"), 5)
        assert (await one.subscriptions("apply")).code == 0
        [second] = one.usps.stored
        assert second != first
        await until(lambda: one.accepts(second, "TEST0003"), 5)
        assert await one.accepts(first, "TEST0004")
        assert await one.mids() == {
            "TEST0001": "998877665",
            "TEST0002": "998877665",
            "TEST0003": "998877666",
            "TEST0004": "998877665",
        }

        listed = orjson.loads((await one.subscriptions("list", "--json")).stdout)
        assert [row["subscription_id"] for row in listed["subscriptions"]] == [second]
        await one.apply_registry(None)
        kept = await one.subscriptions("apply")
        assert "declared no more" in kept.stdout
        assert one.usps.stored.keys() == {second}
        assert (await one.subscriptions("apply", "--delete")).code == 0
        assert not one.usps.stored
        told = one.told + one.site.log.read_text()
        assert one.secret.read_text() not in told
        assert "sample-secret" not in told


async def test_what_stands_in_the_way_is_said(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """No registry, wrong credentials, no broker: a sentence and exit 1, and no traceback."""
    site = Site(broker, topic_prefix, tmp_path)

    async def refused(**environ: str) -> str:
        site.environ |= environ
        done = await asyncio.to_thread(site.command, "receiver", "subscriptions", "plan")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "registry apply FILE" in await refused()
    site.registry_file.write_text(
        REGISTRY.format(usps="http://127.0.0.1:9")
        + SUBSCRIPTION.format(mid="998877665", url=URL, secret=site.secret_file)
    )
    await asyncio.to_thread(site.apply)
    assert "env:ID" in await refused()
    nobody: dict[str, Any] = {"SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    assert "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS" in await refused(**nobody)
