"""Slow clients by the hundred: they get nowhere, and good ones do not notice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.receiver.fakes import eventually
from tests.receiver.listening.hostile.shapes import GOOD, LAST
from tests.receiver.public_port import RECEIVED, Site, answers, site

SLOW = 300
GOOD_CALLBACKS = 300
# What they have said when they fall silent: nothing, half of the headers, half of the body.
BEGINNINGS = (b"", GOOD[:60], GOOD[:-60])


@asynccontextmanager
async def slow_clients(place: Site, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections that have begun and go no further."""
    held = [await place.connect() for _ in range(count)]
    try:
        for number, (_, writer) in enumerate(held):
            writer.write(BEGINNINGS[number % len(BEGINNINGS)])
        yield [reader for reader, _ in held]
    finally:
        for _, writer in held:
            writer.close()
        closed = [writer.wait_closed() for _, writer in held]
        await asyncio.gather(*closed, return_exceptions=True)


async def test_good_callbacks_pass_slow_clients() -> None:
    """With hundreds of slow connections open, every good callback is answered."""
    patient = {
        "header_timeout_seconds": "60",
        "body_timeout_seconds": "60",
        "silence_timeout_seconds": "20",
    }
    async with site(**patient) as place, slow_clients(place, SLOW):
        await eventually(lambda: place.world.counted("usps_receiver_connections") == SLOW)
        reader, writer = await place.connect()
        for number in range(GOOD_CALLBACKS):
            writer.write(GOOD)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            await reader.readexactly(17)
            if number % 10 == 0:
                assert answers(await place.send(LAST)) == [RECEIVED]
        writer.close()
        assert place.world.counted("usps_receiver_connections") >= SLOW
        assert len(place.world.kafka.written) == GOOD_CALLBACKS + GOOD_CALLBACKS // 10


async def test_slow_clients_are_ended() -> None:
    """Each of hundreds is told 408, or closed if it never said a word; its place is free again."""
    async with site(silence_timeout_seconds="0.3") as place, slow_clients(place, SLOW) as readers:
        received = await asyncio.gather(*(reader.read() for reader in readers))
        statuses = [[status for status, _ in answers(one)] for one in received]
        assert statuses == [[], [408], [408]] * (SLOW // 3)
        await eventually(lambda: place.world.counted("usps_receiver_connections") == 0, 10)
