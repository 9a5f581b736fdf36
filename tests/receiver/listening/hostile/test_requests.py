"""Hostile requests against the real server over sockets: each has its answer, nobody else any."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.receiver.listening.hostile.client import HURRY, converse, statuses
from tests.receiver.listening.hostile.requests import ALL
from tests.receiver.listening.hostile.shapes import LAST, HostileRequest
from tests.receiver.public_port import RECEIVED, Site, answers, site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[Site]:
    """One receiver for all of them, in a hurry."""
    async with site(**HURRY) as one:
        yield one


@pytest.mark.parametrize("request_", ALL, ids=[row.name for row in ALL])
@pytest.mark.usefixtures("no_traceback")
async def test_hostile_request(place: Site, request_: HostileRequest) -> None:
    """It is answered as the table says, and a good callback is taken right after it."""
    assert statuses(await converse(place, request_.sent)) == request_.statuses
    assert answers(await place.send(LAST)) == [RECEIVED]


async def test_table_is_a_table() -> None:
    """Every kind has a name of its own, and there are many."""
    assert len({row.name for row in ALL}) == len(ALL) >= 60
