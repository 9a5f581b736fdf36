"""What every sink keeps: a new kind is done when it passes this suite against the real thing."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from processors.deliver.merchant_record import read_event
from processors.sinks.base import AttemptResult, Outcome, Sink, SinkEvent
from tests.processors.deliver.fakes import merchant_record, scan_event

REACH_SECONDS = 20.0


def sink_event(number: str, sequence: int = 1, **changes: object) -> SinkEvent:
    """An event as the delivery loop hands it over."""
    return read_event(merchant_record(scan_event(number, sequence, **changes), sequence))


class ReceivingEnd(ABC):
    """The other side of a sink: a real one, on this machine."""

    @abstractmethod
    def sink(self) -> Sink:
        """A new sink that leads here, not opened yet."""

    @abstractmethod
    def lost_sink(self) -> Sink:
        """A new sink that leads to where nobody answers."""

    @abstractmethod
    async def received(self) -> list[tuple[str, bytes]]:
        """Event id and what came with it, in the order of coming."""


class SinkContract:
    """Subclasses have a fixture `end`, which is a `ReceivingEnd`."""

    async def test_an_accepted_event_has_arrived(self, end: ReceivingEnd) -> None:
        """Accepted means that the other side has it."""
        async with opened(end.sink()) as sink:
            event = sink_event("9205500000000000000001")
            assert await outcomes(sink, event) == [Outcome.ACCEPTED]
            assert [known for known, _ in await end.received()] == [event.event_id]

    async def test_the_same_event_is_the_same_id_and_bytes(self, end: ReceivingEnd) -> None:
        """A redelivery can be told by its id, and changes nothing."""
        async with opened(end.sink()) as sink:
            event = sink_event("9205500000000000000001")
            await outcomes(sink, event)
            await outcomes(sink, event)
            first, *others = await end.received()
            assert all(other == first for other in others)

    async def test_the_events_bytes_are_not_rewritten(self, end: ReceivingEnd) -> None:
        """Also what this version does not know reaches the merchant."""
        async with opened(end.sink()) as sink:
            event = sink_event("9205500000000000000001", new_field={"ü": [1, None]})
            await outcomes(sink, event)
            assert event.value in (await end.received())[0][1]

    async def test_one_number_keeps_its_order(self, end: ReceivingEnd) -> None:
        """What is handed over one after the other arrives so."""
        async with opened(end.sink()) as sink:
            events = [sink_event("9205500000000000000001", sequence) for sequence in range(1, 6)]
            for event in events:
                await outcomes(sink, event)
            assert [known for known, _ in await end.received()] == [e.event_id for e in events]

    async def test_a_full_batch_has_a_result_for_each(self, end: ReceivingEnd) -> None:
        """As many events as `max_batch` says, one result each, and all arrive."""
        async with opened(end.sink()) as sink:
            events = [sink_event(f"{number:022d}") for number in range(sink.max_batch)]
            assert await outcomes(sink, *events) == [Outcome.ACCEPTED] * len(events)
            assert {known for known, _ in await end.received()} == {e.event_id for e in events}

    async def test_a_run_of_one_number_keeps_its_order(self, end: ReceivingEnd) -> None:
        """Where a batch may hold several events of one number, they arrive oldest first."""
        async with opened(end.sink()) as sink:
            if not sink.takes_runs:
                return
            events = [sink_event("9205500000000000000001", sequence) for sequence in range(1, 9)]
            await outcomes(sink, *events)
            assert [known for known, _ in await end.received()] == [e.event_id for e in events]

    async def test_nobody_there_is_unavailable(self, end: ReceivingEnd) -> None:
        """It is told by the result, with a slug, in bounded time; nothing is raised."""
        async with opened(end.lost_sink()) as sink, asyncio.timeout(REACH_SECONDS):
            [result] = await sink.deliver([sink_event("9205500000000000000001")])
            assert result.outcome is Outcome.UNAVAILABLE
            assert result.detail in {"connection_failed", "timed_out"}

    async def test_an_attempt_that_is_cut_off_leaves_the_sink_usable(
        self, end: ReceivingEnd
    ) -> None:
        """The next attempt finds it in order."""
        async with opened(end.sink()) as sink:
            event = sink_event("9205500000000000000001")
            cut_off = asyncio.create_task(outcomes(sink, event))
            await asyncio.sleep(0)
            cut_off.cancel()
            await asyncio.wait([cut_off])
            assert await outcomes(sink, event) == [Outcome.ACCEPTED]

    async def test_it_works_on_after_a_refresh(self, end: ReceivingEnd) -> None:
        """A changed secret does not interrupt delivery."""
        async with opened(end.sink()) as sink:
            sink.refresh()
            assert await outcomes(sink, sink_event("a")) == [Outcome.ACCEPTED]

    async def test_it_closes_twice_and_unopened(self, end: ReceivingEnd) -> None:
        """Whatever went wrong before, closing is safe."""
        unopened = end.sink()
        await unopened.close()
        async with opened(end.sink()) as sink:
            await outcomes(sink, sink_event("a"))
            await sink.close()

    async def test_its_kind_has_bounds(self, end: ReceivingEnd) -> None:
        """The loop relies on positive bounds."""
        sink = end.sink()
        assert sink.kind
        assert sink.max_batch >= 1
        assert sink.max_in_flight >= 1


@asynccontextmanager
async def opened(sink: Sink) -> AsyncIterator[Sink]:
    """Opens a sink and closes it."""
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def outcomes(sink: Sink, *events: SinkEvent) -> list[Outcome]:
    """What came of handing over these events at once."""
    results: list[AttemptResult] = list(await sink.deliver(events))
    assert len(results) == len(events)
    return [result.outcome for result in results]
