"""The delivery loop with sinks that take many events at once."""

from schemas.access import Reason, Withheld
from tests.processors.deliver.fakes import (
    ACCEPTED,
    NAMES,
    REFUSED,
    FakeSink,
    event_id_of,
    scan_event,
)
from tests.processors.deliver.world import World


async def test_a_batch_holds_runs_of_a_number_in_order() -> None:
    """A batch sink gets everything at once, each number's events oldest first."""
    world = World(FakeSink(max_in_flight=1, batch=10, runs=True))
    await world.take(*(scan_event(n, s) for s in (1, 2, 3) for n in "ab"))
    assert world.sink.attempted == [event_id_of(n, s) for n in "ab" for s in (1, 2, 3)]
    assert world.progress.position == 6


async def test_behind_a_failed_event_its_number_goes_again() -> None:
    """What a batch sink says of later events of that number does not count."""
    world = World(FakeSink(max_in_flight=1, batch=10, runs=True))
    world.sink.always = None
    await world.take(*(scan_event("a", s) for s in (1, 2, 3)), scan_event("b", 1))
    world.sink.waiting[0].ends(ACCEPTED, REFUSED, ACCEPTED, ACCEPTED)
    await world.settle()
    assert set(world.outcomes) == {event_id_of("a", 1), event_id_of("b", 1)}
    world.sink.always = ACCEPTED
    await world.advance(1)
    assert world.sink.attempted[4:] == [event_id_of("a", 2), event_id_of("a", 3)]
    assert world.progress.position == 4


async def test_a_right_that_ended_amid_a_run_waits_its_turn() -> None:
    """Behind an allowed event of its number, it is withheld only when that one is settled."""
    world = World(FakeSink(max_in_flight=1, batch=10, runs=True))
    world.denied[event_id_of("a", 2)] = Withheld(Reason.NO_GRANT)
    await world.take(*(scan_event("a", s) for s in (1, 2, 3)))
    assert [d["outcome"] for d in world.recorder.on(NAMES.deliveries)] == [
        "accepted",
        "revoked",
        "accepted",
    ]
    assert world.progress.position == 3
