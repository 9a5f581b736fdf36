"""A back-fill against USPS in a box and its oddities: the same events as callbacks."""

import asyncio
import random
import sys
from collections import defaultdict
from pathlib import Path

import aiohttp

from deploy.broker import LocalBroker, free_port
from deploy.programs import ROOT
from tests.receiver.site import Site, until

# What the client must live with; that of subscriptions is tried with them.
ODDITIES = "empty-errors,429-with-retry-after,429-bare,403-for-unauthorised-mids"
ACCOUNT = """
usps_accounts:
  - {{id: main, environment: simulator, base_url: "http://127.0.0.1:{port}",
      client_id: "env:USPS_ID", client_secret: "env:USPS_SECRET"}}
"""
PACKAGES = 40


async def answers(url: str) -> bool:
    """Whether somebody serves there."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def event_ids(site: Site, channel: str) -> dict[str, set[str]]:
    """Of each number, as the updates of this channel tell them."""
    found: dict[str, set[str]] = defaultdict(set)
    for update in await site.updates():
        if update["channel"] == channel:
            found[update["tracking_number"]] |= {one["event_id"] for one in update["events"]}
    return found


async def test_the_simulators_histories_are_its_callbacks(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Each package is found, and each event of its history came by callback, under the same id."""
    site = Site(broker, topic_prefix, tmp_path)
    port = free_port(random.SystemRandom())
    with site.registry_file.open("a") as registry:
        registry.write(ACCOUNT.format(port=port))
    site.environ |= {
        "USPS_ID": "sample-client",
        "USPS_SECRET": "sample-client-secret",
        "SCANWIRE_USPS_CALLS_PER_HOUR": "36000",
        "SCANWIRE_USPS_CALLS_BURST": "20",
    }
    async with site:
        simulator = await start_simulator(site, port)
        try:
            await until(lambda: answers(f"http://127.0.0.1:{port}/usps.yaml"), 60)

            async def all_known() -> bool:
                return len(await event_ids(site, "webhook")) == PACKAGES

            await until(all_known, 60)
            file = tmp_path / "numbers"
            file.write_text("\n".join(await event_ids(site, "webhook")))
            command = ("receiver", "backfill", "--file", str(file), "--json")
            done = await asyncio.to_thread(site.command, *command)
            assert done.returncode == 0, done.stderr
        finally:
            if simulator.returncode is None:
                simulator.terminate()
            await simulator.wait()
        asked = await event_ids(site, "api")
        told = await event_ids(site, "webhook")
        assert asked.keys() == told.keys()
        for number, events in asked.items():
            assert events
            assert events <= told[number]


async def start_simulator(site: Site, port: int) -> asyncio.subprocess.Process:
    """Pushes a few packages to the receiver and serves the APIs."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "receiver",
        "simulate",
        *("--registry", str(site.registry_file), "--to", site.url),
        *("--packages", str(PACKAGES), "--rate", "100", "--faults", "none"),
        *("--serve", str(port), "--oddities", ODDITIES, "--calls-per-hour", "7200"),
        cwd=ROOT,
        env=site.environ,
    )
