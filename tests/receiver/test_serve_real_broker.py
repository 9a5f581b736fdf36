"""The receiver as operators run it: a process of its own, a real Kafka, real faults."""

import asyncio
import socket
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.broker import LocalBroker
from schemas.partitions import partition_of
from schemas.update import TrackingUpdate
from tests.receiver.fakes import eventually
from tests.receiver.site import Reply, Site, until
from tests.receiver.world import NUMBER, PAYLOAD, callback


def numbered(number: int) -> str:
    """A tracking number of its own; any text is one."""
    return f"TEST{number:08}"


async def post_numbers(site: Site, numbers: range) -> list[Reply]:
    """A callback for each number, all at once."""
    posts = [site.post(*callback({**PAYLOAD, "trackingNumber": numbered(n)})) for n in numbers]
    return list(await asyncio.gather(*posts))


async def small_topic(broker: LocalBroker, name: str) -> None:
    """A topic as an operator may have made it: no record above 20,000 bytes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        config = {"max.message.bytes": "20000"}
        await admin.create_topics([NewTopic(name, 6, 1, topic_configs=config)])
    finally:
        await admin.close()


async def all_accepted(site: Site, numbers: range) -> bool:
    """Whether each of them is answered 200."""
    return {reply.status for reply in await post_numbers(site, numbers)} == {200}


async def drained(site: Site) -> bool:
    """Whether nothing waits in the spool any more."""
    return await asyncio.to_thread(site.program.metric, "usps_receiver_spool_records") == 0


async def accepts(site: Site, **how: Any) -> bool:
    """Whether a callback that is made so is answered 200."""
    return (await site.post(*callback(**how))).status == 200


async def tells(site: Site, reason: str) -> bool:
    """Whether the admin port answers, and gives this reason for not being ready."""
    try:
        _, reasons = await site.ready()
    except aiohttp.ClientConnectionError:
        return False
    return reason in " ".join(reasons)


async def test_callbacks_reach_their_topics(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """200 is in tracking-updates at its key's partition; 401 is in quarantine; nothing else."""
    async with Site(broker, topic_prefix, tmp_path) as site:
        assert (await site.post(*callback())).json == {"received": True}
        assert {reply.status for reply in await post_numbers(site, range(300))} == {200}
        wrong = callback(secret=b"another-secret-0123456789abcdefg")
        assert (await site.post(*wrong)).json["error"] == "signature_mismatch"
        unknown = callback(subscription_id="unknown")
        assert (await site.post(*unknown)).json["error"] == "unknown_subscription"
        assert (await site.post(*callback("no json"))).status == 200
        records = await site.records(site.names.tracking_updates)
        assert {record.key.decode() for record in records} == {
            NUMBER,
            *(numbered(number) for number in range(300)),
        }
        for record in records:
            TrackingUpdate.model_validate_json(record.value)
            assert record.partition == partition_of(record.key, 6)
            assert dict(record.headers)["ce_subject"] == record.key
        reasons = sorted(value["reason"] for value in await site.quarantined())
        assert reasons == ["payload_unreadable", "signature_mismatch", "unknown_subscription"]
        accepted = site.program.metric("usps_receiver_callbacks_total", outcome="accepted")
        assert accepted == 301


async def test_rotated_secret_works_without_restart(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """A changed secret file is in force within two seconds, and the old secret no more."""
    new = b"rotated-secret-0123456789abcdefg"
    async with Site(broker, topic_prefix, tmp_path) as site:
        assert (await site.post(*callback())).status == 200
        site.secret_file.write_bytes(new)
        await until(lambda: accepts(site, secret=new), 2)
        assert (await site.post(*callback())).status == 401


async def test_new_subscription_is_obeyed(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """An apply is in force within two seconds."""
    async with Site(broker, topic_prefix, tmp_path) as site:
        assert (await site.post(*callback(subscription_id="later"))).status == 401
        site.declare("later", "later")
        await asyncio.to_thread(site.apply)
        await until(lambda: accepts(site, subscription_id="later"), 2)


@pytest.mark.parametrize("fault", ["stop", "freeze"])
async def test_broker_that_goes_and_comes(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path, fault: str
) -> None:
    """200 throughout: by the broker, by the spool, by the broker again; nothing is missing."""
    async with Site(private_broker, topic_prefix, tmp_path) as site:
        assert await all_accepted(site, range(20))
        await asyncio.to_thread(getattr(private_broker, fault))
        assert await all_accepted(site, range(100, 120))
        assert await all_accepted(site, range(200, 260))
        assert (await site.ready())[0]
        assert site.program.metric("usps_receiver_spool_records") >= 60
        await asyncio.to_thread(private_broker.start if fault == "stop" else private_broker.thaw)
        await until(lambda: drained(site), 60)
        assert await all_accepted(site, range(300, 320))
        kept = [update["tracking_number"] for update in await site.updates()]
        numbers = (*range(20), *range(100, 120), *range(200, 260), *range(300, 320))
        assert set(kept) == {numbered(number) for number in numbers}


async def test_killed_broker_loses_nothing_answered(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """While the broker is killed and started under load, every 200 is in the topic after it."""
    accepted: set[str] = set()
    async with Site(private_broker, topic_prefix, tmp_path) as site:
        ending = asyncio.Event()

        async def load(worker: int) -> None:
            number = worker
            while not ending.is_set():
                reply = (await post_numbers(site, range(number, number + 1)))[0]
                assert reply.status == 200
                accepted.add(numbered(number))
                number += 16

        workers = [asyncio.create_task(load(worker)) for worker in range(16)]
        await asyncio.sleep(1)
        await asyncio.to_thread(private_broker.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(private_broker.start)
        before = len(accepted)
        await eventually(lambda: len(accepted) >= before + 100, 30)
        ending.set()
        await asyncio.gather(*workers)
        await until(lambda: drained(site), 60)
        kept = {update["tracking_number"] for update in await site.updates()}
        assert accepted <= kept


async def test_too_large_for_the_topic_is_set_aside(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """What the broker calls too large is answered 200 and in quarantine; the rest flows on."""
    site = Site(broker, topic_prefix, tmp_path)
    await small_topic(broker, site.names.tracking_updates)
    async with site:
        large = {**PAYLOAD, "trackingNumber": "LARGE", "filler": "x" * 30_000}
        for numbers in (range(40), range(100, 140)):
            together = await asyncio.gather(
                post_numbers(site, numbers), *(site.post(*callback(large)) for _ in range(2))
            )
            small, *others = together
            assert {reply.status for reply in (*small, *others)} == {200}
        assert len({update["tracking_number"] for update in await site.updates()}) == 80
        reasons = [value["reason"] for value in await site.quarantined()]
        assert reasons == ["record_too_large"] * 4


async def test_waits_for_broker_and_topics(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Started before broker and topics it answers 503, says why, and begins when they are there."""
    site = Site(private_broker, topic_prefix, tmp_path)
    await asyncio.to_thread(private_broker.stop)
    await site.begin()
    try:
        await until(lambda: tells(site, "cannot be reached"))
        assert (await site.post(*callback())).status == 503
        await asyncio.to_thread(private_broker.start)
        await until(lambda: tells(site, "topics are missing"))
        await asyncio.to_thread(site.apply)
        await site.until_ready(True)
        assert (await site.post(*callback())).status == 200
    finally:
        await site.__aexit__()
    assert "Traceback" not in site.log.read_text()


async def test_sigterm_finishes_what_was_taken(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Under load: exit 0, and every 200 is in the topic."""
    async with Site(broker, topic_prefix, tmp_path) as site:
        posts = [
            asyncio.create_task(site.post(*callback({**PAYLOAD, "trackingNumber": numbered(n)})))
            for n in range(400)
        ]
        await asyncio.sleep(0.05)
        assert await asyncio.to_thread(site.program.end) == 0
        replies = await asyncio.gather(*posts, return_exceptions=True)
        accepted = {
            numbered(n)
            for n, reply in enumerate(replies)
            if isinstance(reply, Reply) and reply.status == 200
        }
        assert accepted
        assert accepted <= {update["tracking_number"] for update in await site.updates()}
        assert "Traceback" not in site.log.read_text()


async def test_slow_and_silent_clients_are_closed(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Headers that trickle end with 408 or a close; one that says nothing within 20 s."""
    site = Site(broker, topic_prefix, tmp_path)
    site.environ["SCANWIRE_HEADER_TIMEOUT_SECONDS"] = "1"
    async with site:
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", site.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        began = monotonic()
        writer.write(b"POST /usps/tracking HTTP/1.1\r\nhost: a\r\n")
        told = await asyncio.wait_for(reader.read(), 5)
        assert told == b"" or told.startswith(b"HTTP/1.1 408")
        assert await asyncio.wait_for(silent.read(), 20 - (monotonic() - began)) == b""
        for one in (writer, silent_writer):
            one.close()
            await one.wait_closed()


async def test_port_in_use_is_a_sentence(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """A port that is taken: exit 1, and a sentence that names port and setting."""
    site = Site(broker, topic_prefix, tmp_path)
    for port, setting in ((site.port, "RECEIVER_PORT"), (site.admin_port, "ADMIN_PORT")):
        with socket.create_server(("127.0.0.1", port)):
            done = await asyncio.to_thread(site.command, "receiver", "serve")
        assert done.returncode == 1
        assert str(port) in done.stderr
        assert f"SCANWIRE_{setting}" in done.stderr
        assert "Traceback" not in done.stderr


async def test_check_says_what_is_wrong(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Exit 1 with the remedy while something is missing, exit 0 when all is well."""
    site = Site(broker, topic_prefix, tmp_path)
    missing = await asyncio.to_thread(site.command, "receiver", "check")
    assert missing.returncode == 1
    assert "scanwire-processors topics" in missing.stdout
    await asyncio.to_thread(site.apply)
    assert (await asyncio.to_thread(site.command, "receiver", "check")).returncode == 0
    site.secret_file.unlink()
    unresolved = await asyncio.to_thread(site.command, "receiver", "check", "--json")
    assert unresolved.returncode == 1
    assert "cannot be read" in unresolved.stdout
    site.environ["SCANWIRE_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    away = await asyncio.to_thread(site.command, "receiver", "check")
    assert away.returncode == 1
    assert "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS" in away.stdout
    assert "Traceback" not in away.stdout + away.stderr
