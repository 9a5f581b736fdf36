"""One tenure of a partition: where it begins, and what it notices."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker
from processors.consume import OutRecord
from processors.consume.tenure import Claim, Tenure
from processors.consume.write import SizeLimits
from processors.program import Tools
from schemas.errors import Interrupted, PositionLost
from tests.processors.consume.world import make_topics, send, tools_for


@pytest.fixture
async def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """With an input topic of three records."""
    found = tools_for(broker.bootstrap_servers, topic_prefix, tmp_path)
    await make_topics(found, [f"{topic_prefix}in"], 1)
    await send(found, f"{topic_prefix}in", [(0, b"a"), (0, b"b"), (0, b"c")])
    return found


def tenure_of(tools: Tools, committed: int | None) -> Tenure:
    """A tenure whose group committed this."""

    async def answer(_: TopicPartition) -> int | None:
        return committed

    def no_letter(record: OutRecord) -> OutRecord:
        return record

    prefix = tools.settings.topic_prefix
    place = TopicPartition(f"{prefix}in", 0)
    claim = Claim(tools.kafka, place, f"{prefix}group", f"{prefix}id", [], answer, no_letter)
    return Tenure(claim, SizeLimits())


@pytest.fixture
async def begun(tools: Tools) -> AsyncIterator[Tenure]:
    """One at the second record."""
    tenure = tenure_of(tools, 1)
    assert await tenure.begin() == 1
    yield tenure
    await tenure.close()


async def test_it_begins_where_the_group_committed(begun: Tenure) -> None:
    """Not before, not after."""
    assert [record.value for record in await begun.poll()] == [b"b", b"c"]


async def test_without_a_commit_it_begins_at_the_beginning(tools: Tools) -> None:
    """A new group reads everything."""
    tenure = tenure_of(tools, None)
    try:
        assert await tenure.begin() == 0
    finally:
        await tenure.close()


async def test_a_position_beyond_the_end_is_lost(tools: Tools) -> None:
    """The topic was made anew: going on at its end would skip what it holds."""
    tenure = tenure_of(tools, 17)
    try:
        with pytest.raises(PositionLost) as told:
            await tenure.begin()
        assert "ends at 3" in told.value.detail
    finally:
        await tenure.close()


async def test_a_reader_that_stopped_in_silence_is_noticed(begun: Tenure, tools: Tools) -> None:
    """Its position stands still at two looks although there are records."""
    await begun.poll()
    assert await begun.watch() == 0
    begun._reader._fetcher._fetch_task.cancel()
    assert await begun.poll() == ()  # what was asked for before is answered, with nothing
    await send(tools, f"{tools.settings.topic_prefix}in", [(0, b"d")])
    assert await begun.poll() == ()
    assert await begun.watch() == 1
    with pytest.raises(Interrupted):
        await begun.watch()
