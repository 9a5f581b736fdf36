"""Requests spoilt at random: no 500, no traceback, and a server that is well afterwards."""

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import cast

import pytest

from receiver.listening.limits import Limits
from tests.receiver.fakes import eventually
from tests.receiver.listening.hostile.client import HURRY, converse, statuses
from tests.receiver.listening.hostile.mutations import mutated
from tests.receiver.listening.hostile.shapes import LAST
from tests.receiver.public_port import RECEIVED, Site, answers, site

CLIENTS = 64
GOOD_EVERY = 250
POSSIBLE = {100, 200, 400, 401, 404, 405, 408, 413, 414, 431, 503}


async def spoil(place: Site, seed: int, count: int) -> None:
    """So many conversations by clients side by side, and good callbacks among them."""
    conversations = enumerate(islice(mutated(seed), count))

    async def client(of: Iterator[tuple[int, tuple[bytes, ...]]]) -> None:
        for number, pieces in of:
            # Most say that they have sent all: what is cut off then costs no deadline.
            received = await converse(place, pieces, says_end=number % 10 > 0)
            assert head_or_whole(received, pieces) <= POSSIBLE, (seed, number, pieces, received)
            if number % GOOD_EVERY == 0:
                assert answers(await place.send(LAST)) == [RECEIVED]

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client(conversations))


def head_or_whole(received: bytes, pieces: tuple[bytes, ...]) -> set[int]:
    """The statuses; answers to HEAD have no body that could be read as one."""
    if b"HEAD" in b"".join(pieces):
        return {200}
    return set(statuses(received))


async def is_well(place: Site) -> None:
    """Nobody holds a place or room any more, and callbacks are taken."""
    limits = cast("Limits", cast("partial[object]", place.server.config.http).args[1])
    await eventually(lambda: not limits.places.taken)
    assert limits.room.left == place.world.settings.max_arriving_bytes
    assert place.world.counted("usps_receiver_connections") == 0
    assert place.world.counted("usps_receiver_connections_ended_total", reason="failed") == 0
    assert place.world.counted("usps_receiver_connections_ended_total", reason="not_http") > 0
    assert answers(await place.send(LAST)) == [RECEIVED]


@pytest.mark.usefixtures("no_traceback")
async def test_mutated_requests() -> None:
    """5,000 spoilt requests are each answered or closed; good callbacks pass among them."""
    async with site(**HURRY) as place:
        await spoil(place, 7, 5_000)
        await is_well(place)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.usefixtures("no_traceback")
async def test_many_mutated_requests() -> None:
    """The same with 100,000 of other seeds."""
    for seed in range(100, 110):
        async with site(**HURRY) as place:
            await spoil(place, seed, 10_000)
            await is_well(place)
