"""`scanwire-receiver backfill` as operators run it: a process, a real Kafka, USPS on loopback."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp.test_utils import TestServer
from aiokafka import AIOKafkaProducer

from deploy.broker import LocalBroker
from deploy.programs import ROOT
from schemas.update import TrackingUpdate
from tests.receiver.feeds.test_planning import number_of, piece
from tests.receiver.site import Site
from tests.receiver.usps.usps import CLIENT_ID, CLIENT_SECRET, FakeUsps
from tests.receiver.world import NUMBER, PAYLOAD, callback
from tests.schemas.usps.feed import payload_of, scan

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
        """`backfill`, under way."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "receiver",
            "backfill",
            *arguments,
            cwd=ROOT,
            env=self.site.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def backfill(self, *arguments: str) -> Ended:
        """`backfill --json`, to its end."""
        process = await self.start(*arguments, "--json")
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def post_at(broker: LocalBroker, prefix: str, directory: Path) -> AsyncIterator[Post]:
    """With an applied registry, and no receiver yet."""
    usps = FakeUsps()
    async with TestServer(usps.app()) as server:
        site = Site(broker, prefix, directory)
        url = str(server.make_url("")).rstrip("/")
        with site.registry_file.open("a") as registry:
            registry.write(ACCOUNTS.format(url=url))
        site.environ |= {
            "USPS_ID": CLIENT_ID,
            "USPS_SECRET": CLIENT_SECRET,
            "SCANWIRE_USPS_CALLS_PER_HOUR": "100000",
            "SCANWIRE_USPS_CALLS_BURST": "1000",
        }
        await asyncio.to_thread(site.apply)
        yield Post(site, usps)


async def write_states(site: Site, states: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """As packages would."""
    producer = AIOKafkaProducer(bootstrap_servers=site.broker.bootstrap_servers)
    await producer.start()
    try:
        for number, state in states:
            value = orjson.dumps(state)
            await producer.send_and_wait(site.names.packages, value, key=number.encode())
    finally:
        await producer.stop()


async def test_callbacks_and_lookups_of_a_package_give_the_same_events(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """The receiver's record and the back-fill's agree in each event id, on one partition."""
    async with post_at(broker, topic_prefix, tmp_path) as post:
        site = post.site
        await site.begin()
        try:
            await asyncio.to_thread(site.program.wait_ready)
            assert (await site.post(*callback())).status == 200
        finally:
            await site.http.close()
            assert await asyncio.to_thread(site.program.end) == 0
        post.usps.pieces[NUMBER] = dict(PAYLOAD)
        ended = await post.backfill("--tracking-number", NUMBER)
        assert (ended.code, ended.document["found"], ended.document["events_published"]) == (
            0,
            1,
            1,
        )
        records = await site.records(site.names.tracking_updates)
        assert len({record.partition for record in records}) == 1
        webhook, api = (TrackingUpdate.model_validate_json(record.value) for record in records)
        assert [one.event_id for one in webhook.events] == [one.event_id for one in api.events]
        assert (webhook.channel, webhook.mid) == ("webhook", MID)
        assert (api.channel, api.mid, api.subscription_id) == ("api", None, None)
        headers = dict(records[1].headers)
        assert headers["ce_id"].decode() == api.update_id
        assert headers["ce_type"] == b"usps.tracking_update"


async def test_a_killed_job_goes_on_where_it_was(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """After kill -9 the same command asks one batch again and no other, and all is in Kafka."""
    numbers = [number_of(MID, serial) for serial in range(200)]
    file = tmp_path / "numbers.txt"
    file.write_text("\n".join([*numbers, "EA123456785US"]))
    async with post_at(broker, topic_prefix, tmp_path) as post:
        post.usps.pieces = {one: payload_of(scan(), trackingNumber=one) for one in numbers}
        post.usps.hold_at = 3
        process = await post.start("--file", str(file))
        await post.usps.asking.wait()
        second = await post.backfill("--file", str(file))
        assert second.code == 1
        assert "runs already" in second.err
        process.kill()
        await process.communicate()
        post.usps.gate.set()
        ended = await post.backfill("--file", str(file))
        assert ended.code == 0, ended.err
        told = ended.document
        assert (told["numbers"], told["found"], told["open"]) == (201, 200, 0)
        assert told["not_asked"] == {"no_mid": 1}
        batches = post.usps.batches
        assert batches[2] == batches[3]
        assert sorted(sum(batches[:2] + batches[3:], [])) == sorted(numbers)
        updates = await post.site.updates()
        assert {one["tracking_number"] for one in updates} == set(numbers)
        assert len({one["update_id"] for one in updates}) == 200
        # It is done, so the same command is a new job.
        again = await post.backfill("--file", str(file), "--dry-run")
        assert (again.code, again.document["open"], again.document["calls_left"]) == (0, 200, 6)
        assert len(post.usps.batches) == 7


async def test_a_mids_open_pieces_are_asked_for(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Those under way, by the last state of each; SIGTERM ends it well, and it goes on."""
    numbers = [number_of(MID, serial) for serial in range(60)]
    recent = {"mid": MID, "last_event_at": "2026-05-13T00:00:00Z"}
    states = [(one, piece(**recent)) for one in numbers]
    states += [(one, piece(**recent, category="delivered")) for one in numbers[50:]]
    wish = ("--mid", MID, "--since", "2026-05-14")
    async with post_at(broker, topic_prefix, tmp_path) as post:
        await write_states(post.site, states)
        post.usps.pieces = {one: payload_of(scan(), trackingNumber=one) for one in numbers}
        post.usps.hold_at = 2
        process = await post.start(*wish)
        await post.usps.asking.wait()
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
        assert process.returncode == 0, err
        assert b"the same command goes on" in err
        post.usps.gate.set()
        ended = await post.backfill(*wish)
        assert (ended.code, ended.document["numbers"], ended.document["found"]) == (0, 50, 50)
        assert {one for batch in post.usps.batches for one in batch} == set(numbers[:50])
        assert [len(batch) for batch in post.usps.batches] == [35, 15, 15]


async def test_what_a_user_can_cause_is_one_sentence(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Exit 1 or 2, no traceback, and no credentials in the text."""
    async with post_at(broker, topic_prefix, tmp_path) as post:
        number = number_of(MID, 1)
        cases = [
            (("--mid", "12"), 2, "a MID has"),
            (("--tracking-number", number, "--since", "2026-05-01"), 2, "--since goes with"),
            (("--file", str(tmp_path / "absent")), 1, "cannot be read"),
            (("--tracking-number", number, "--account", "other"), 1, "registry has: main"),
        ]
        ends = await asyncio.gather(*(post.backfill(*arguments) for arguments, _, _ in cases))
        for (_, code, text), ended in zip(cases, ends, strict=True):
            assert ended.code == code
            assert text in ended.err
            assert "Traceback" not in ended.err
        post.site.environ["USPS_SECRET"] = "another-secret-of-the-wrong-kind"
        refused = await post.backfill("--tracking-number", number)
        assert (refused.code, refused.document["open"]) == (1, 1)
        assert "correct its client_id and client_secret" in refused.err
        assert "another-secret" not in refused.err


async def test_a_large_file_is_planned_in_bounded_memory(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """A hundred thousand numbers: counted, with the time that the quota makes them take."""
    file = tmp_path / "numbers.txt"
    with file.open("w") as opened:
        for serial in range(100_000):
            opened.write(f"{number_of(MID, serial)}\n")
    async with post_at(broker, topic_prefix, tmp_path) as post:
        post.site.environ["SCANWIRE_USPS_CALLS_PER_HOUR"] = "60"
        post.site.environ["SCANWIRE_USPS_CALLS_BURST"] = "5"
        ended = await post.backfill("--file", str(file), "--dry-run")
        assert ended.code == 0, ended.err
        told = ended.document
        assert (told["numbers"], told["open"], told["calls_left"]) == (100_000, 100_000, 2858)
        assert told["seconds_left"] > 50 * 3600
        assert not list((tmp_path / "state").glob("backfill-*"))
