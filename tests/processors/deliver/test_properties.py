"""Whatever the attempts meet: order per number holds, and no commit passes an unsettled record."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.sinks.base import AttemptResult, Outcome, SinkEvent
from tests.processors.deliver.fakes import (
    ACCEPTED,
    REFUSED,
    UNAVAILABLE,
    FakeSink,
    scan_event,
)
from tests.processors.deliver.world import World

RESULTS = [
    ACCEPTED,
    REFUSED,
    UNAVAILABLE,
    AttemptResult(Outcome.UNAVAILABLE, 429, None, 3.0),
    AttemptResult(Outcome.REFUSED, None, "record_too_large", retriable=False),
]


@dataclass(frozen=True)
class Story:
    """Records as they arrive, what each attempt meets, and how acknowledgements come."""

    numbers: list[str]
    results: list[AttemptResult]
    arrivals: list[int]
    batch: int
    in_flight: int
    prompt: list[bool] = field(default_factory=list)


STORIES = st.builds(
    Story,
    numbers=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30),
    results=st.lists(st.sampled_from(RESULTS), max_size=60),
    arrivals=st.lists(st.integers(1, 8), min_size=1, max_size=10),
    batch=st.sampled_from([1, 1, 4]),
    in_flight=st.integers(1, 4),
    prompt=st.lists(st.booleans(), min_size=5, max_size=5),
)


class PlannedSink(FakeSink):
    """Meets the next planned result with each event; fails what is behind a failed one."""

    def __init__(self, story: Story) -> None:
        super().__init__(story.in_flight, story.batch, runs=story.batch > 1)
        self._results = list(story.results)

    async def deliver(self, events: Sequence[SinkEvent]) -> Sequence[AttemptResult]:
        results: list[AttemptResult] = []
        failed: set[str] = set()
        await asyncio.sleep(0)
        for event in events:
            result = self._results.pop(0) if self._results else ACCEPTED
            if event.tracking_number in failed:
                result = UNAVAILABLE
            if result is ACCEPTED:
                self.accepted.append(event)
            else:
                failed.add(event.tracking_number)
            results.append(result)
        return results


def check_commits(world: World) -> None:
    """Everything before the position has its delivery record, acknowledged or not."""
    settled = {d["offset"] for d in world.recorder.on("usps.deliveries.v1")}
    assert settled.issuperset(range(world.progress.position))


def check_order(world: World, story: Story) -> None:
    """Each number's events were accepted in order, each once; each record was settled once."""
    offsets: dict[str, list[int]] = defaultdict(list)
    for event in world.sink.accepted:
        offsets[event.tracking_number].append(event.position.offset)
    for accepted in offsets.values():
        assert accepted == sorted(set(accepted))
    settled = [d["offset"] for d in world.recorder.on("usps.deliveries.v1")]
    assert sorted(settled) == list(range(len(story.numbers)))


async def play(story: Story) -> None:
    """Tells the story to a deliverer, then lets time pass until nothing is left."""
    world = World(PlannedSink(story), delays=(1.0, 2.0))
    left = [scan_event(n, s) for s, n in enumerate(story.numbers)]
    for step, many in enumerate(story.arrivals):
        world.recorder.prompt = story.prompt[step % len(story.prompt)]
        await world.take(*left[:many])
        del left[:many]
        check_commits(world)
        await world.advance(0.5)
        check_commits(world)
        world.recorder.acknowledge_all()
    world.recorder.prompt = True
    await world.take(*left)
    await world.advance(3600)
    check_commits(world)
    assert world.progress.position == len(story.numbers)
    assert world.progress.in_hand == 0
    check_order(world, story)


@settings(max_examples=150, deadline=None)
@given(STORIES)
def test_order_and_commits_hold_whatever_attempts_meet(story: Story) -> None:
    """Every record is settled once, in the order of its number, and never passed by a commit."""
    asyncio.run(play(story))
