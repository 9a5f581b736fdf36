"""The public port as clients meet it: real sockets, uvicorn, deadlines; only Kafka is fake."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from receiver.listening.listener import Listener
from schemas.settings import Settings
from tests.receiver.fakes import eventually
from tests.receiver.public_port import CLOSE, RECEIVED, Site, answers, raw, site
from tests.receiver.world import callback


@pytest.fixture
async def place() -> AsyncIterator[Site]:
    """One with short deadlines."""
    async with site() as one:
        yield one


async def test_callback_is_published_and_answered(place: Site) -> None:
    """A plain callback is in Kafka when its answer is here."""
    received = await place.send(raw(*callback(), CLOSE))
    assert answers(received) == [RECEIVED]
    assert b"date: " in received
    assert b"connection: close" in received
    assert len(place.world.kafka.written) == 1


async def test_kept_alive_connection_serves_many(place: Site) -> None:
    """One connection carries callback after callback, refused ones among them."""
    reader, writer = await place.connect()
    for _ in range(3):
        writer.write(raw(*callback()))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readexactly(17) == b'{"received":true}'
        writer.write(raw(b"{", [(b"content-length", b"1")]))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        await reader.readexactly(len(b'{"error":"not_json","detail":"The body is not JSON."}'))
    writer.close()


async def test_pipelined_requests_are_answered_in_order(place: Site) -> None:
    """Requests sent at once are answered one after the other, whatever way each goes."""
    good = raw(*callback())
    probe = raw(b"", [], line=b"GET /usps/tracking HTTP/1.1")
    bad = raw(b"[]", [(b"content-length", b"2")])
    last = raw(*callback(), CLOSE)
    received = answers(await place.send(good + probe + bad + good + last))
    assert [status for status, _ in received] == [200, 200, 400, 200, 200]
    assert received[1][1] == {"listening": True}


async def test_chunked_body(place: Site) -> None:
    """A chunked callback is as good; its trailers mean nothing."""
    body, headers = callback()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 99]), body[at : at + 99])
        for at in range(0, len(body), 99)
    )
    chunked = [(b"transfer-encoding", b"chunked"), headers[2]]
    sent = raw(b"%b0\r\nx-hmac: trailer\r\n\r\n" % chunks, chunked, CLOSE)
    assert answers(await place.send(sent)) == [RECEIVED]


async def test_body_in_pieces(place: Site) -> None:
    """Headers and body may come in as many packets as they like, in time."""
    sent = raw(*callback(), CLOSE)
    pieces = [sent[at : at + 150] for at in range(0, len(sent), 150)]
    assert answers(await place.send(*pieces, pause=0.001)) == [RECEIVED]


async def test_http_1_0_and_continue(place: Site) -> None:
    """Older clients, and those that ask first, are served."""
    old = raw(*callback(), line=b"POST /usps/tracking HTTP/1.0")
    assert answers(await place.send(old)) == [RECEIVED]
    asking = await place.send(raw(*callback(), b"expect: 100-continue", CLOSE))
    interim, _, final = asking.partition(b"\r\n\r\n")
    assert interim == b"HTTP/1.1 100 Continue"
    assert answers(final) == [RECEIVED]


async def test_body_too_large_is_answered_while_it_is_sent(place: Site) -> None:
    """A client that sends two mebibytes gets its 413, not a reset connection."""
    size = 2 * 1024 * 1024
    sent = raw(b"x" * size, [(b"content-length", b"%d" % size)])
    [(status, refusal)] = answers(await place.send(sent))
    assert (status, refusal["error"]) == (413, "body_too_large")


@pytest.mark.parametrize("garbage", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET  \r\n\r\n"])
async def test_what_is_not_http(place: Site, garbage: bytes) -> None:
    """Answered 400 or closed."""
    received = await place.send(garbage)
    assert received == b"" or received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408"))


@pytest.mark.parametrize("filler", [[b"x: %b" % (b"y" * 70_000)], [b"x: y"] * 15_000])
async def test_headers_too_large(place: Site, filler: list[bytes]) -> None:
    """One giant header or very many: 431, whether they come at once or in pieces."""
    sent = raw(*callback(), *filler, CLOSE)
    assert (await place.send(sent)).startswith(b"HTTP/1.1 431")
    pieces = [sent[at : at + 20_000] for at in range(0, len(sent), 20_000)]
    received = await place.send(*pieces, pause=0.001)
    assert received.startswith(b"HTTP/1.1 431")
    assert not place.world.kafka.written


async def test_url_too_large(place: Site) -> None:
    """The same for an address that never ends."""
    line = b"POST /%b HTTP/1.1" % (b"x" * 70_000)
    assert (await place.send(raw(b"", [], CLOSE, line=line))).startswith(b"HTTP/1.1 431")


async def test_headers_that_trickle(place: Site) -> None:
    """Headers that are not complete in time: 408, and closed."""
    began = monotonic()
    [(status, refusal)] = answers(await place.send(b"POST /usps/tracking HTTP/1.1\r\nhost: x"))
    assert (status, refusal["error"]) == (408, "too_slow")
    assert monotonic() - began > 0.2
    assert place.world.counted("usps_receiver_callbacks_total", outcome="too_slow") == 1


async def test_body_that_trickles(place: Site) -> None:
    """A body that is not complete in time: 408, and closed, announced or chunked."""
    body, headers = callback()
    [(status, refusal)] = answers(await place.send(raw(body[:50], headers)))
    assert (status, refusal["error"]) == (408, "too_slow")
    chunked = raw(b"5\r\nhello\r\n", [(b"transfer-encoding", b"chunked")])
    [(status, refusal)] = answers(await place.send(chunked))
    assert (status, refusal["error"]) == (408, "too_slow")


async def test_second_request_that_trickles(place: Site) -> None:
    """The deadline holds for every request of a kept-alive connection."""
    sent = raw(*callback())
    received = await place.send(sent, b"POST /usps", pause=0.1)
    assert [status for status, _ in answers(received)] == [200, 408]


async def test_line_ends_between_requests_are_no_request(place: Site) -> None:
    """A client that only sends line ends is closed as one that says nothing."""
    received = await place.send(raw(*callback()), b"\r\n", pause=0.1)
    assert answers(received) == [RECEIVED]


async def test_body_that_nobody_reads(place: Site) -> None:
    """A client that goes on sending to a path that is not there is closed in time."""
    sent = raw(b"x", [(b"content-length", b"1000000")], line=b"POST /nowhere HTTP/1.1")
    [(status, _)] = answers(await place.send(sent))
    assert status == 404


async def test_client_that_leaves(place: Site) -> None:
    """A client that leaves before its answer costs nothing but the answer."""
    place.world.kafka.answering = False
    _, writer = await place.connect()
    writer.write(raw(*callback()))
    await eventually(lambda: place.world.kafka.in_flight == 1)
    writer.close()
    await writer.wait_closed()
    place.world.kafka.answer()
    assert answers(await place.send(raw(*callback(), CLOSE))) == [RECEIVED]
    assert len(place.world.kafka.written) == 2


async def test_ending_finishes_what_was_taken(place: Site) -> None:
    """A server that is told to end still answers what it has taken."""
    place.world.kafka.answering = False
    reader, writer = await place.connect()
    writer.write(raw(*callback()))
    await eventually(lambda: place.world.kafka.in_flight == 1)
    place.server.should_exit = True
    await asyncio.sleep(0.15)
    place.world.kafka.answer()
    assert answers(await asyncio.wait_for(reader.read(), 5)) == [RECEIVED]
    writer.close()


async def test_connections_are_bounded() -> None:
    """Beyond the settings' numbers a connection is closed at once; a free place is given again."""
    async with site(max_connections="3", max_connections_per_address="2") as place:
        reader, writer = await place.connect()
        _, second = await place.connect()
        writer.write(raw(*callback()))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await place.send(b"") == b""
        second.close()
        await second.wait_closed()
        await asyncio.sleep(0.05)
        assert answers(await place.send(raw(*callback(), CLOSE))) == [RECEIVED]
        writer.close()


async def test_other_protocols_are_not_spoken(place: Site) -> None:
    """A callback that also asks for another protocol, as Java's client does, is a callback."""
    asking = raw(*callback(), b"upgrade: h2c", b"connection: upgrade, http2-settings")
    pieces = [asking[:150], asking[150:], asking + asking, raw(*callback(), CLOSE)]
    assert answers(await place.send(*pieces, pause=0.001)) == [RECEIVED] * 4
    assert len(place.world.kafka.written) == 4


async def test_idle_connection_is_closed() -> None:
    """A kept-alive connection that says nothing is closed, after 75 seconds by default."""
    assert Settings().idle_timeout_seconds == 75
    async with site(idle_timeout_seconds="0.1") as place:
        assert answers(await place.send(raw(*callback()))) == [RECEIVED]


async def test_bug_costs_no_callback() -> None:
    """An error of ours is answered 503, so that USPS repeats."""

    class Broken:
        def get(self, _: str) -> None:
            raise ZeroDivisionError

    async with site() as place:
        place.world.registry.table = Broken()  # type: ignore[assignment]
        assert isinstance(place.world.listener, Listener)
        [(status, refusal)] = answers(await place.send(raw(*callback(), CLOSE)))
        assert (status, refusal["error"]) == (503, "unavailable")
