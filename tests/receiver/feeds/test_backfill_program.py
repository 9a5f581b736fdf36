"""`scanwire-receiver backfill` as operators run it: a process, a real Kafka, USPS on loopback."""

import argparse
import asyncio
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from deploy.broker import LocalBroker
from receiver.__main__ import build_parser
from schemas.update import TrackingUpdate
from tests.receiver.feeds.test_planning import number_of, piece
from tests.receiver.site import Site
from tests.receiver.usps.post import MID, post_at
from tests.receiver.world import NUMBER, PAYLOAD, callback
from tests.schemas.usps.feed import payload_of, scan


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
        process = await post.start("backfill", "--file", str(file))
        await post.usps.asking.wait()
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
        asked = [one for batch in batches[:2] + batches[3:] for one in batch]
        assert sorted(asked) == sorted(numbers)
        updates = await post.site.updates()
        assert {one["tracking_number"] for one in updates} == set(numbers)
        assert len({one["update_id"] for one in updates}) == 200
        # It is done, so the same command would be a new job.
        assert not list((tmp_path / "state").glob("backfill-*.sqlite"))


@pytest.mark.soak
async def test_twenty_kills_lose_no_number(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Killed while USPS is asked, again and again: each kill costs one batch, and none is lost."""
    numbers = [number_of(MID, serial) for serial in range(2_000)]
    file = tmp_path / "numbers.txt"
    file.write_text("\n".join(numbers))
    choose = random.Random(4711)
    async with post_at(broker, topic_prefix, tmp_path) as post:
        post.usps.pieces = {one: payload_of(scan(), trackingNumber=one) for one in numbers}
        for _ in range(20):
            post.usps.asking.clear()
            post.usps.hold_at = len(post.usps.batches) + choose.randint(1, 4)
            process = await post.start("backfill", "--file", str(file))
            await post.usps.asking.wait()
            process.kill()
            await process.communicate()
            post.usps.gate.set()
        ended = await post.backfill("--file", str(file))
        assert (ended.code, ended.document["found"]) == (0, 2_000)
        assert len(post.usps.batches) <= 58 + 20
        updates = await post.site.updates()
        assert {one["tracking_number"] for one in updates} == set(numbers)
        assert len({one["update_id"] for one in updates}) == 2_000


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
        process = await post.start("backfill", *wish)
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["--mid", "12"],
        ["--mid", MID, "--since", "yesterday"],
        ["--mid", MID, "--file", "x"],
        [],
    ],
)
def test_a_wrong_use_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and what is wrong."""
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args(["backfill", *arguments])
    assert end.value.code == 2
    assert "backfill: error:" in capsys.readouterr().err


def test_a_wish_is_read() -> None:
    """A bare date is midnight UTC."""
    parsed: argparse.Namespace = build_parser().parse_args(
        ["backfill", "--mid", MID, "--since", "2026-05-01"]
    )
    assert parsed.since.isoformat() == "2026-05-01T00:00:00+00:00"


async def test_a_job_that_cannot_be_done_says_why_and_plans_in_any_size(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Exit 1 with a sentence and no credentials; a hundred thousand numbers can be planned."""
    file = tmp_path / "numbers.txt"
    file.write_text("\n".join(number_of(MID, serial) for serial in range(100_000)))
    number = number_of(MID, 1)
    async with post_at(broker, topic_prefix, tmp_path) as post:
        post.site.environ |= {
            "USPS_SECRET": "another-secret-of-the-wrong-kind",
            "SCANWIRE_USPS_CALLS_PER_HOUR": "60",
            "SCANWIRE_USPS_CALLS_BURST": "5",
        }
        refused, planned = await asyncio.gather(
            post.backfill("--tracking-number", number),
            post.backfill("--file", str(file), "--dry-run"),
        )
        assert (refused.code, refused.document["open"]) == (1, 1)
        assert "correct its client_id and client_secret" in refused.err
        assert not any(text in refused.err for text in ("another-secret", "Traceback"))
        assert planned.code == 0, planned.err
        told = planned.document
        assert (told["numbers"], told["open"], told["calls_left"]) == (100_000, 100_000, 2858)
        assert told["seconds_left"] > 50 * 3600
