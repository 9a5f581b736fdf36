"""How connections end: answers in order first, a word of why, and never a wait without end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import orjson
import pytest

from receiver.listening.limits import LINGER_BYTES
from schemas.settings import Settings
from tests.receiver.fakes import eventually
from tests.receiver.listening.hostile.client import statuses
from tests.receiver.listening.hostile.shapes import GOOD, LAST
from tests.receiver.public_port import CLOSE, RECEIVED, Site, answers, raw, site
from tests.receiver.world import callback

# So long that what is read at once holds fewer than may wait on one connection.
LONG_PROBE = raw(b"", [(b"x", b"y" * 8_000)], line=b"GET /usps/tracking HTTP/1.1")


def ended(place: Site, reason: str) -> float:
    """How many connections the listener ended for it."""
    return place.world.counted("usps_receiver_connections_ended_total", reason=reason)


async def test_refusal_waits_for_answers_before_it() -> None:
    """Garbage behind a callback that waits for a slow broker is refused after its answer."""
    async with site() as place:
        place.world.kafka.answering = False
        reader, writer = await place.connect()
        writer.write(GOOD + b"garbage\r\n\r\n")
        await eventually(lambda: ended(place, "not_http") == 1)
        await eventually(lambda: place.world.kafka.in_flight == 1)
        place.world.kafka.answer()
        assert statuses(await reader.read()) == [200, 400]
        writer.close()


async def test_late_request_does_not_cost_an_earlier_one_its_answer() -> None:
    """A half request behind a callback is late while the callback waits: both are answered."""
    async with site(publish_timeout_seconds="5") as place:
        place.world.kafka.answering = False
        reader, writer = await place.connect()
        writer.write(GOOD + GOOD[:60])
        await eventually(lambda: ended(place, "headers_late") == 1)
        place.world.kafka.answer()
        assert statuses(await reader.read()) == [200, 408]
        writer.close()


async def test_body_that_is_not_read_for_our_sake_is_not_late() -> None:
    """A pipelined body is not read before its turn; that time is not the client's."""
    async with site(body_timeout_seconds="0.1", publish_timeout_seconds="5") as place:
        place.world.kafka.answering = False
        reader, writer = await place.connect()
        writer.write(GOOD + LAST[:-40])
        await eventually(lambda: place.world.kafka.in_flight == 1)
        await asyncio.sleep(0.25)  # more than one deadline
        writer.write(LAST[-40:])
        place.world.kafka.answer()
        assert answers(await reader.read()) == [RECEIVED] * 2
        writer.close()


async def test_client_that_has_said_all_gets_its_answers() -> None:
    """A client may end its side at once; what it asked before is answered, half requests not."""
    async with site() as place:
        for sent, expected in ((GOOD + GOOD, [200, 200]), (GOOD + GOOD[:-9], [200]), (b"", [])):
            reader, writer = await place.connect()
            writer.write(sent)
            writer.write_eof()
            assert statuses(await reader.read()) == expected
            writer.close()


async def test_pipeline_of_large_requests_is_no_large_header() -> None:
    """What is read at once may end one request and begin the next: each is bounded alone."""
    async with site() as place:
        body, headers = callback("x" * 9_000)
        sent = raw(body, headers) * 300 + LAST
        assert answers(await place.send(sent)) == [RECEIVED] * 301


async def test_refusal_reaches_a_client_that_goes_on_sending() -> None:
    """Megabytes behind a refused request do not reset the connection before it is read."""
    async with site() as place:
        garbage = b"garbage\r\n\r\n" + b"x" * 3_000_000
        assert statuses(await place.send(garbage)) == [400]


async def test_client_that_never_stops_sending_is_cut_off() -> None:
    """After a refusal only so much is read away."""
    async with site() as place:
        _, writer = await place.connect()
        writer.write(b"garbage\r\n\r\n" + b"x" * (LINGER_BYTES + 3_000_000))
        await eventually(lambda: place.world.counted("usps_receiver_connections") == 0)
        writer.transport.abort()
        assert answers(await place.send(LAST)) == [RECEIVED]


@asynccontextmanager
async def deaf_client(place: Site) -> AsyncIterator[None]:
    """One that asks and asks but reads nothing, with little room for answers on the way."""
    place.bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        client.connect(("127.0.0.1", place.port))
        client.setblocking(False)
        asking = asyncio.create_task(ask_for_ever(client))
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.wait([asking])


async def ask_for_ever(client: socket.socket) -> None:
    """Until the connection is closed."""
    with suppress(OSError):
        while True:
            await asyncio.get_running_loop().sock_sendall(client, LONG_PROBE)


@pytest.mark.usefixtures("no_traceback")
async def test_client_that_does_not_read_its_answers() -> None:
    """It is closed in time, and no good client waits for it."""
    async with site(answer_timeout_seconds="0.3") as place:
        async with deaf_client(place), asyncio.timeout(20):
            while not ended(place, "answer_not_read"):
                assert answers(await place.send(LAST)) == [RECEIVED]
        await eventually(lambda: place.world.counted("usps_receiver_connections") == 0)


@pytest.mark.usefixtures("no_traceback")
async def test_client_that_leaves_before_its_answers() -> None:
    """Clients that reset their connection in the middle of a pipeline cost no traceback."""
    async with site() as place:
        for _ in range(50):
            _, writer = await place.connect()
            writer.write(LONG_PROBE * 20 + GOOD * 20)
            await asyncio.sleep(0.001)
            writer.transport.abort()
        await eventually(lambda: place.world.counted("usps_receiver_connections") == 0)
        assert answers(await place.send(LAST)) == [RECEIVED]


async def test_requests_that_arrive_slowly_are_bounded_together() -> None:
    """Half requests fill the room for such; the next gets 503, whole ones are taken as ever."""
    body, headers = callback("x" * 50_000)
    big = raw(body, headers, CLOSE)
    async with site(max_arriving_bytes="100000", body_timeout_seconds="5") as place:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                _, writer = await place.connect()
                stack.push_async_callback(writer.wait_closed)
                stack.callback(writer.close)
                writer.write(big[:-9_000])
            reader, writer = await place.connect()
            writer.write(big[:-9_000])
            [(status, told)] = answers(await reader.read())
            assert (status, told["error"]) == (503, "unavailable")
            writer.close()
            assert ended(place, "too_much_arriving") == 1
            assert answers(await place.send(LAST)) == [RECEIVED]
        await eventually(lambda: place.world.counted("usps_receiver_connections") == 0)
        assert answers(await place.send(big[:-9_000], big[-9_000:], pause=0.05)) == [RECEIVED]


async def test_refusals_are_counted_by_slug_and_reason() -> None:
    """An operator sees why connections end, and what was answered."""
    async with site() as place:
        await place.send(b"garbage\r\n\r\n")
        await place.send(GOOD[:40])
        assert ended(place, "not_http") == ended(place, "headers_late") == 1
        assert place.world.counted("usps_receiver_callbacks_total", outcome="not_json") == 1
        assert place.world.counted("usps_receiver_callbacks_total", outcome="too_slow") == 1


async def test_late_body_of_an_answered_request_is_only_closed() -> None:
    """A body that nobody waits for is not answered a second time when it does not come."""
    async with site() as place:
        sent = raw(b"x", [(b"content-length", b"9")], line=b"POST /nowhere HTTP/1.1")
        assert statuses(await place.send(sent)) == [404]
        assert ended(place, "body_late") == 1
        assert place.world.counted("usps_receiver_callbacks_total", outcome="too_slow") == 0


async def test_head_is_answered_without_a_body() -> None:
    """A probe by HEAD gets headers only."""
    async with site() as place:
        received = await place.send(raw(b"", [], CLOSE, line=b"HEAD /usps/tracking HTTP/1.1"))
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert received.endswith(b"\r\n\r\n")


def test_times_are_those_promised() -> None:
    """By default: 10 seconds for headers and body, below 20 for a first word, 75 between."""
    times = Settings()
    assert (times.header_timeout_seconds, times.body_timeout_seconds) == (10, 10)
    assert times.silence_timeout_seconds < 20
    assert times.idle_timeout_seconds == 75


async def test_unavailable_says_when_to_come_again() -> None:
    """A pipeline that is too long is told to repeat it, with Retry-After."""
    async with site() as place:
        received = await place.send(raw(b"", [], line=b"GET /x HTTP/1.1") * 130)
        last = received.rpartition(b"HTTP/1.1 503 ")[2]
        assert b"retry-after: " in last
        assert orjson.loads(last.partition(b"\r\n\r\n")[2])["error"] == "unavailable"
