"""Commands that speak to USPS, as processes: a real Kafka, and a fake USPS on loopback."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp.test_utils import TestServer

from deploy.broker import LocalBroker
from deploy.programs import ROOT
from tests.receiver.site import Site
from tests.receiver.usps.usps import CLIENT_ID, CLIENT_SECRET, FakeUsps

MID = "998877665"
ACCOUNTS = """
usps_accounts:
  - {{id: main, environment: simulator, base_url: "{url}",
      client_id: "env:USPS_ID", client_secret: "env:USPS_SECRET"}}
"""


@dataclass
class Ended:
    """A command that came to its end."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return orjson.loads(self.out)


@dataclass
class Post:
    """A site whose account is at a fake USPS."""

    site: Site
    usps: FakeUsps

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A command of `scanwire-receiver`, under way."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "receiver",
            *arguments,
            cwd=ROOT,
            env=self.site.environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, given: bytes = b"") -> Ended:
        """A command to its end; `given` is its standard input."""
        process = await self.start(*arguments)
        out, err = await process.communicate(given)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def backfill(self, *arguments: str) -> Ended:
        """`backfill --json`, to its end."""
        return await self.run("backfill", *arguments, "--json")


@asynccontextmanager
async def post_at(
    broker: LocalBroker, prefix: str, directory: Path, more: str = ""
) -> AsyncIterator[Post]:
    """With an applied registry (`more` of it, too), and no receiver yet."""
    usps = FakeUsps()
    async with TestServer(usps.app()) as server:
        site = Site(broker, prefix, directory)
        url = str(server.make_url("")).rstrip("/")
        with site.registry_file.open("a") as registry:
            registry.write(ACCOUNTS.format(url=url) + more)
        site.environ |= {
            "USPS_ID": CLIENT_ID,
            "USPS_SECRET": CLIENT_SECRET,
            "SCANWIRE_USPS_CALLS_PER_HOUR": "100000",
            "SCANWIRE_USPS_CALLS_BURST": "1000",
        }
        await asyncio.to_thread(site.apply)
        yield Post(site, usps)
