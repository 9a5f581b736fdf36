"""The delivery loop of one destination, from records to settlements."""

import pytest

from processors.sinks.base import AttemptResult, Outcome
from schemas.access import Reason, Withheld
from schemas.event import EventCategory
from schemas.records import DeadLetter, Delivery, WithheldRecord
from tests.processors.deliver.fakes import (
    ACCEPTED,
    GONE,
    NAMES,
    REFUSED,
    UNAVAILABLE,
    FakeSink,
    event_id_of,
    scan_event,
)
from tests.processors.deliver.world import World


async def test_an_event_is_delivered_and_written_down() -> None:
    """An accepted event gets its delivery record, and then its offset is settled."""
    world = World()
    await world.take(scan_event("a"))
    [delivery] = [Delivery.model_validate(d) for d in world.recorder.on(NAMES.deliveries)]
    assert (delivery.outcome, delivery.attempts, delivery.grant) == (
        "accepted",
        1,
        "owner:912345678",
    )
    assert delivery.first_attempt_at == delivery.settled_at == "2026-11-24T00:00:00.000Z"
    assert world.progress.position == 1


async def test_an_offset_is_settled_only_when_its_record_is_acknowledged() -> None:
    """A crash before the audit trail is written repeats the event, and loses no record of it."""
    world = World()
    world.recorder.prompt = False
    await world.take(scan_event("a"))
    assert world.sink.attempted
    assert world.progress.position == 0
    world.recorder.acknowledge_all()
    assert world.progress.position == 1


async def test_numbers_go_in_parallel_and_one_number_in_order() -> None:
    """The second event of a number starts when the first has ended."""
    world = World()
    world.sink.always = None
    await world.take(scan_event("a", 1), scan_event("a", 2), scan_event("b", 1))
    assert world.sink.attempted == [event_id_of("a", 1), event_id_of("b", 1)]
    world.sink.waiting[0].ends(ACCEPTED)
    await world.settle()
    assert world.sink.attempted[2:] == [event_id_of("a", 2)]


async def test_no_more_than_max_in_flight_go_at_a_time() -> None:
    """The ninth number waits for one of eight."""
    world = World(FakeSink(max_in_flight=8))
    world.sink.always = None
    await world.take(*(scan_event(f"n{n}") for n in range(20)))
    assert len(world.sink.waiting) == 8
    world.sink.waiting[3].ends(ACCEPTED)
    await world.settle()
    assert len(world.sink.waiting) == 9


async def test_a_refused_event_is_tried_again_while_others_pass() -> None:
    """Its number waits for the schedule's delay; other numbers do not."""
    world = World()
    world.sink.answers("a", REFUSED)
    await world.take(scan_event("a", 1), scan_event("a", 2), scan_event("b", 1))
    assert world.outcomes == {event_id_of("b", 1): "accepted"}
    assert world.progress.position == 0
    await world.advance(0.99)
    assert len(world.outcomes) == 1
    await world.advance(0.01)
    assert [e.event_id for e in world.sink.accepted][1:] == [
        event_id_of("a", 1),
        event_id_of("a", 2),
    ]
    assert world.progress.position == 3


async def test_an_event_that_is_always_refused_is_dead_lettered() -> None:
    """After the last delay of the schedule it is given up, with every attempt told."""
    world = World(delays=(1.0, 2.0))
    world.sink.answers("a", REFUSED, REFUSED, REFUSED)
    await world.take(scan_event("a", 1), scan_event("a", 2))
    await world.advance(3.0)
    [letter] = [DeadLetter.model_validate(d) for d in world.recorder.on(NAMES.dead_letters)]
    assert letter.reason == "attempts_exhausted"
    assert letter.event is not None
    assert letter.event.event_id == event_id_of("a", 1)
    assert [(a.at[17:23], a.outcome, a.status) for a in letter.attempts] == [
        ("00.000", "refused", 400),
        ("01.000", "refused", 400),
        ("03.000", "refused", 400),
    ]
    assert world.outcomes == {
        event_id_of("a", 1): "dead_lettered",
        event_id_of("a", 2): "accepted",
    }
    assert world.progress.position == 2


async def test_a_failure_that_no_attempt_can_mend_is_dead_lettered_at_once() -> None:
    """A record that is too large stays too large."""
    world = World()
    world.sink.answers(
        "a", AttemptResult(Outcome.REFUSED, detail="record_too_large", retriable=False)
    )
    await world.take(scan_event("a"))
    [letter] = world.recorder.on(NAMES.dead_letters)
    assert letter["reason"] == "record_too_large"


async def test_a_destination_that_is_down_blames_no_record() -> None:
    """With three numbers failing, nothing is dead-lettered however long it lasts."""
    world = World(delays=(1.0,))
    world.sink.always = UNAVAILABLE
    await world.take(*(scan_event(f"n{n}") for n in range(20)))
    await world.advance(24 * 3600)
    assert world.outcomes == {}
    assert not world.deliverer.wants_more
    world.sink.always = ACCEPTED
    await world.advance(60)
    assert len(world.outcomes) == 20
    assert set(world.outcomes.values()) == {"accepted"}
    assert world.deliverer.wants_more


async def test_an_open_breaker_lets_one_probe_through_at_a_time() -> None:
    """At 5, 15 and 35 s after its opening, one attempt each, of another number."""
    world = World(FakeSink(max_in_flight=1), delays=(1000.0,))
    world.sink.always = UNAVAILABLE
    await world.take(*(scan_event(f"n{n}") for n in range(6)))
    assert len(world.sink.attempted) == 3
    await world.advance(4.9)
    assert len(world.sink.attempted) == 3
    await world.advance(30.2)
    assert world.sink.attempted[3:] == [event_id_of(f"n{n}", 1) for n in (3, 4, 5)]


async def test_one_failing_record_does_not_stop_a_destination() -> None:
    """A record that always makes the destination answer 500 ends as a dead letter, alone."""
    world = World(delays=(1.0, 2.0))
    world.sink.answers("a", *[UNAVAILABLE] * 3)
    await world.take(scan_event("a"), *(scan_event(f"n{n}") for n in range(10)))
    await world.advance(10)
    assert world.outcomes[event_id_of("a", 1)] == "dead_lettered"
    assert len(world.sink.accepted) == 10


async def test_retry_after_holds_back_the_whole_destination() -> None:
    """Nothing goes before the time that the destination asked for."""
    world = World(FakeSink(max_in_flight=1))
    world.sink.answers("a", AttemptResult(Outcome.UNAVAILABLE, 429, None, 30.0))
    await world.take(scan_event("a"), scan_event("b"))
    await world.advance(29.9)
    assert len(world.sink.attempted) == 1
    await world.advance(0.1)
    assert len(world.outcomes) == 2


async def test_a_gone_destination_is_tried_no_more() -> None:
    """410 ends the work; the event stays unsettled, and no other attempt starts."""
    world = World(FakeSink(max_in_flight=1))
    world.sink.answers("a", GONE)
    await world.take(scan_event("a"), scan_event("b"))
    await world.advance(3600)
    assert world.ends == [None]
    assert world.sink.attempted == [event_id_of("a", 1)]
    assert world.outcomes == {}
    assert world.progress.position == 0


async def test_a_bug_in_a_sink_is_told_and_settles_nothing() -> None:
    """The error goes to whoever restarts the destination."""
    world = World()
    world.sink.always = None
    await world.take(scan_event("a"))
    error = RuntimeError("a bug")
    world.sink.waiting[0].done.set_exception(error)
    await world.settle()
    assert world.ends == [error]
    assert world.progress.position == 0


async def test_a_right_that_ended_withholds_the_event() -> None:
    """Asked before each attempt: refused, it is withheld with its reason and settled so."""
    world = World()
    world.denied[event_id_of("a", 1)] = Withheld(Reason.NO_GRANT)
    await world.take(scan_event("a", 1), scan_event("a", 2))
    [withheld] = [WithheldRecord.model_validate(d) for d in world.recorder.on(NAMES.withheld)]
    assert withheld.model_dump()["merchant"] == "acme"
    assert withheld.model_dump()["reason"] == "no_grant"
    assert world.outcomes == {event_id_of("a", 1): "revoked", event_id_of("a", 2): "accepted"}
    assert world.recorder.written[0].key == b"a"
    assert world.sink.attempted == [event_id_of("a", 2)]


async def test_a_right_that_ends_between_attempts_counts() -> None:
    """The second attempt is never made."""
    world = World()
    world.sink.answers("a", REFUSED)
    await world.take(scan_event("a"))
    world.denied[event_id_of("a", 1)] = Withheld(Reason.GRANT_EXPIRED)
    await world.advance(10)
    assert len(world.sink.attempted) == 1
    assert world.outcomes == {event_id_of("a", 1): "revoked"}
    assert world.recorder.on(NAMES.deliveries)[0]["attempts"] == 1


async def test_unwanted_categories_are_filtered() -> None:
    """They are settled without an attempt."""
    world = World(categories=[EventCategory.DELIVERED])
    await world.take(scan_event("a", 1), scan_event("a", 2, category="delivered"))
    assert world.outcomes == {event_id_of("a", 1): "filtered", event_id_of("a", 2): "accepted"}
    assert world.sink.attempted == [event_id_of("a", 2)]
    assert world.progress.position == 2


async def test_an_unreadable_record_is_set_aside_whole() -> None:
    """Its bytes are kept in a dead letter, and its neighbours pass."""
    world = World()
    await world.take(b"\xffnonsense", scan_event("a"))
    [letter] = [DeadLetter.model_validate(d) for d in world.recorder.on(NAMES.dead_letters)]
    assert (letter.record_base64, letter.reason) == ("/25vbnNlbnNl", "record_unreadable")
    assert world.progress.position == 2


async def test_a_rate_limit_is_kept() -> None:
    """Ten a second are ten in a second, not sixty-four at once."""
    world = World(per_second=10.0)
    await world.take(*(scan_event(f"n{n}") for n in range(40)))
    await world.advance(1.0)
    assert 10 <= len(world.sink.attempted) <= 12
    await world.advance(3.0)
    assert len(world.outcomes) == 40


async def test_a_held_deliverer_finishes_but_starts_nothing() -> None:
    """What is under way ends and is settled; the rest stays."""
    world = World(FakeSink(max_in_flight=1))
    world.sink.always = None
    await world.take(scan_event("a"), scan_event("b"))
    world.deliverer.hold()
    world.sink.waiting[0].ends(ACCEPTED)
    await world.deliverer.quiet(1.0)
    assert world.progress.position == 1
    assert len(world.sink.attempted) == 1


async def test_attempts_that_take_too_long_are_cut_off() -> None:
    """On stopping, a slow attempt is ended; its event will go again."""
    world = World()
    world.sink.always = None
    await world.take(scan_event("a"))
    world.deliverer.hold()
    await world.deliverer.quiet(0.01)
    assert world.sink.waiting[0].done.cancelled()
    assert world.progress.position == 0


async def test_a_probe_that_is_cut_off_blocks_no_later_one() -> None:
    """After a change of assignment the breaker can probe again."""
    world = World(FakeSink(max_in_flight=1), delays=(1000.0,))
    world.sink.always = UNAVAILABLE
    await world.take(*(scan_event(f"n{n}") for n in range(3)))
    world.sink.always = None
    await world.take(scan_event("late"))
    await world.advance(5)
    assert len(world.sink.waiting) == 1
    world.deliverer.hold()
    await world.deliverer.quiet(0.01)
    world.deliverer.go_on()
    world.sink.always = ACCEPTED
    await world.take(scan_event("again"))
    await world.advance(5)
    assert world.outcomes[event_id_of("again", 1)] == "accepted"


@pytest.mark.parametrize("always", [ACCEPTED, UNAVAILABLE])
async def test_the_reader_is_told_of_room(always: AttemptResult) -> None:
    """Room is announced while events flow, and not while the destination is down."""
    world = World(FakeSink(max_in_flight=2))
    world.sink.always = None
    await world.take(*(scan_event(f"n{n}") for n in range(30)))
    world.room = 0
    world.sink.always = always
    for attempt in world.sink.waiting:
        attempt.ends(always)
    await world.settle()
    assert (world.room > 0) is (always is ACCEPTED)
