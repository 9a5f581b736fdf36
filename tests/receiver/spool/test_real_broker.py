"""Kill -9 while the broker is away: what was answered 200 is in Kafka, in order per number."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import orjson
import psutil
import pytest

from deploy.broker import LocalBroker
from schemas.clock import rfc3339
from tests.receiver.site import Site, until
from tests.receiver.world import PAYLOAD, callback

BEGINNING = datetime.now(UTC)
RSS_GROWTH_BYTES = 96 * 1024 * 1024


class Push:
    """USPS that sends each number's callbacks one after the other, again until they are accepted.

    Attributes:
        accepted: How many of each number were answered 200.
        refused: How many answers were others.
    """

    def __init__(self, site: Site, numbers: int, pause_seconds: float) -> None:
        self._site = site
        self._pause = pause_seconds
        self._ending = asyncio.Event()
        self.accepted = dict.fromkeys([f"OUTAGE{number:04}" for number in range(numbers)], 0)
        self.refused = 0

    @property
    def total(self) -> int:
        """Accepted in all."""
        return sum(self.accepted.values())

    def start(self) -> None:
        """Begins to send."""
        self._tasks = [asyncio.create_task(self._send_all(number)) for number in self.accepted]

    async def more(self, count: int, seconds: float = 60.0) -> None:
        """Returns when so many more were accepted."""
        wanted = self.total + count

        async def reached() -> bool:
            return self.total >= wanted

        await until(reached, seconds)

    async def end(self) -> None:
        """Each finishes what it has begun."""
        self._ending.set()
        await asyncio.gather(*self._tasks)

    async def _send_all(self, number: str) -> None:
        while not self._ending.is_set():
            place = self.accepted[number]
            request = callback(
                {**PAYLOAD, "trackingNumber": number, "statusSummary": str(place)},
                timestamp=rfc3339(BEGINNING + timedelta(milliseconds=place)),
            )
            while not await self._accepted(*request):  # noqa: ASYNC110 -- as USPS, later
                await asyncio.sleep(0.05)
            self.accepted[number] += 1
            await asyncio.sleep(self._pause)

    async def _accepted(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
        try:
            reply = await self._site.post(body, headers)
        except aiohttp.ClientError:
            return False  # the receiver is dead just now
        self.refused += reply.status != 200
        return reply.status == 200


async def assert_all_there(site: Site, push: Push) -> None:
    """Every number's callbacks, in their order by first occurrence."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for record in await site.records(site.names.tracking_updates):
        update = orjson.loads(record.value)
        found[update["tracking_number"]][update["reported_at"]] = None
    for number, count in push.accepted.items():
        times = [rfc3339(BEGINNING + timedelta(milliseconds=place)) for place in range(count)]
        assert list(found[number]) == times
    assert push.refused == 0


async def kill_and_restart(site: Site) -> None:
    """As a crash, and a supervisor that starts it again."""
    await asyncio.to_thread(site.program.kill)
    site.program.restart()
    await asyncio.to_thread(site.program.wait_ready)


async def depth(site: Site) -> float:
    """Records in the spool."""
    return await asyncio.to_thread(site.program.metric, "usps_receiver_spool_records")


async def test_killed_while_the_broker_is_away(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Killed while spooling, started without a broker, killed while draining: nothing is lost."""
    async with Site(private_broker, topic_prefix, tmp_path) as site:
        push = Push(site, numbers=20, pause_seconds=0.02)
        push.start()
        await push.more(100)
        await asyncio.to_thread(private_broker.stop)
        await push.more(300)
        await kill_and_restart(site)
        await push.more(300)
        before = await depth(site)
        assert before >= 300
        check = await asyncio.to_thread(site.command, "receiver", "check")
        assert "records wait" in check.stdout
        await asyncio.to_thread(private_broker.start)

        async def draining() -> bool:
            return await depth(site) < before

        await until(draining, 60)
        await kill_and_restart(site)
        await push.more(100)
        await push.end()
        await until(lambda: _empty(site), 60)
        await assert_all_there(site, push)
    assert "Traceback" not in site.log.read_text()


async def _empty(site: Site) -> bool:
    return await depth(site) == 0


async def _memory(site: Site, samples: list[int]) -> None:
    while True:
        await asyncio.sleep(5)
        try:
            samples.append(psutil.Process(site.program.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            continue  # between a kill and the next start


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_ten_minutes_without_a_broker(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """1,000 callbacks a second, five kills, ten minutes away: all of it, in order; memory flat."""
    site = Site(private_broker, topic_prefix, tmp_path)
    site.environ["SCANWIRE_SPOOL_MAX_BYTES"] = str(8 * 1024**3)
    samples: list[int] = []
    async with site:
        sampling = asyncio.create_task(_memory(site, samples))
        push = Push(site, numbers=300, pause_seconds=0.3)
        push.start()
        await push.more(5_000)
        await asyncio.to_thread(private_broker.stop)
        for _ in range(5):
            await asyncio.sleep(100)
            await kill_and_restart(site)
        await asyncio.sleep(100)
        await asyncio.to_thread(private_broker.start)
        await until(lambda: _empty(site), 600)
        await push.end()
        await until(lambda: _empty(site), 60)
        sampling.cancel()
        await assert_all_there(site, push)
    assert max(samples) < samples[0] + RSS_GROWTH_BYTES
