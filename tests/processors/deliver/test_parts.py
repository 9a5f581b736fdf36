"""The small parts of the loop: commits, order, retry, pace, shards, digests, positions."""

import orjson
import pytest
from aiokafka.structs import TopicPartition

from processors.deliver.commits import CommitTimer, PartitionProgress
from processors.deliver.declaration import declaration_digest, in_shard, is_disabled
from processors.deliver.merchant_record import read_event
from processors.deliver.ordering import InHand, Window
from processors.deliver.pace import Pace
from processors.deliver.positions import Bounds, first_position, observed_start
from processors.deliver.retry import RetrySchedule
from schemas.errors import PositionLost, RecordRejected
from schemas.registry.log import Observations
from tests.processors.deliver.fakes import DESTINATION, TOPIC, merchant_record, scan_event

PARTITION = TopicPartition(TOPIC, 0)


def in_hand(number: str, offset: int) -> InHand:
    """An event of that number."""
    progress = PartitionProgress(PARTITION, 0)
    return InHand(read_event(merchant_record(scan_event(number, offset), offset)), progress)


def test_a_commit_never_passes_an_unsettled_record() -> None:
    """Later records that are settled wait for the first that is not."""
    progress = PartitionProgress(PARTITION, 10)
    for offset in (10, 11, 13):
        progress.read(offset)
    progress.settle(11)
    progress.settle(13)
    assert (progress.position, progress.in_hand) == (10, 3)
    progress.settle(10)
    assert (progress.position, progress.in_hand) == (14, 0)


def test_a_first_position_is_committed_without_a_record() -> None:
    """A group that had no position gets one, so that a restart begins at the same place."""
    progress = PartitionProgress(PARTITION, 0, committed=False)
    assert CommitTimer(0.0).due(progress.uncommitted, 1.0)
    assert not CommitTimer(0.0).due(PartitionProgress(PARTITION, 0).uncommitted, 1.0)


def test_commits_come_after_a_second_or_many_records() -> None:
    """Few records wait for the second to end, five hundred do not."""
    timer = CommitTimer(0.0)
    assert not timer.due(499, 0.9)
    assert timer.due(500, 0.0)
    assert timer.due(1, 1.0)


def test_one_number_goes_one_at_a_time_and_others_pass() -> None:
    """Of each number only the first is taken until it is settled."""
    window = Window()
    first, second, other = in_hand("a", 1), in_hand("a", 2), in_hand("b", 3)
    for item in (first, second, other):
        window.add(item)
    assert window.take(10) == [first, other]
    assert window.take(10) == []
    window.settle(first)
    assert window.take(10) == [second]


def test_a_number_waits_as_long_as_its_first_event() -> None:
    """A postponed event holds back its number, until its time has come."""
    window = Window()
    first, second = in_hand("a", 1), in_hand("a", 2)
    window.add(first)
    window.take(1)
    window.postpone(first, until=5.0)
    window.add(second)
    window.release(4.9)
    assert window.take(10) == []
    assert window.next_due == 5.0
    window.release(5.0)
    assert window.take(10) == [first]


def test_what_is_put_back_goes_behind_the_other_numbers() -> None:
    """An open breaker probes with another number than the one that failed."""
    window = Window()
    first, other = in_hand("a", 1), in_hand("b", 2)
    window.add(first)
    window.add(other)
    assert window.take(1) == [first]
    window.put_back(first)
    assert window.take(1) == [other]


def test_a_run_of_one_number_stays_together() -> None:
    """Sinks that keep order themselves get several events of a number, oldest first."""
    window = Window()
    items = [in_hand("a", offset) for offset in range(4)]
    for item in items:
        window.add(item)
    assert window.take(10, run=3) == items[:3]
    window.settle(items[0])
    window.postpone(items[1], until=1.0)
    assert window.take(10, run=3) == []
    window.release(1.0)
    assert window.take(10, run=3) == items[1:]


def test_attempts_that_outlive_their_window_change_nothing() -> None:
    """After a change of assignment, the end of an old attempt moves no new event."""
    window = Window()
    old, new = in_hand("a", 1), in_hand("a", 1)
    window.add(old)
    window.take(1)
    window.clear()
    window.add(new)
    window.settle(old)
    assert window.take(1) == [new]


def test_delays_grow_and_are_spread() -> None:
    """Never sooner than the setting says, up to a quarter later; then no more."""
    schedule = RetrySchedule((1.0, 4.0), lambda: 1.0)
    assert [schedule.delay_after(failed) for failed in (1, 2, 3)] == [1.25, 5.0, None]


def test_a_rate_limit_spaces_attempts() -> None:
    """Ten a second start a tenth of a second apart; a late timer is made up for."""
    pace = Pace(10.0)
    pace.spend(100.0)
    assert pace.resumes_at == pytest.approx(100.05)
    pace.spend(100.05)
    assert pace.resumes_at == pytest.approx(100.15)


def test_every_destination_is_in_exactly_one_shard() -> None:
    """Shards share all destinations out, and each gets some."""
    ids = [f"destination-{n}" for n in range(200)]
    shards = [[known for known in ids if in_shard(known, (n, 4))] for n in (1, 2, 3, 4)]
    assert sorted(known for shard in shards for known in shard) == sorted(ids)
    assert all(len(shard) > 20 for shard in shards)


def test_a_410_holds_for_the_destination_as_it_was_declared() -> None:
    """Another declaration ends it."""
    observed = Observations()
    digest = declaration_digest(DESTINATION)
    observed.apply("disabled/acme-orders", b'{"declared": "%b"}' % digest.encode())
    assert is_disabled(DESTINATION, observed)
    changed = DESTINATION.model_copy(update={"timeout_seconds": 3.0})
    assert not is_disabled(changed, observed)


@pytest.mark.parametrize(
    ("committed", "start", "declared", "begins"),
    [
        (30, {0: 5}, "latest", 30),
        (None, {0: 15}, "latest", 15),
        (None, {0: 5}, "latest", 10),
        (None, {1: 5}, "latest", 10),
        (None, None, "earliest", 10),
        (None, None, "latest", 40),
        (10, None, "latest", 10),
        (40, None, "latest", 40),
    ],
)
def test_where_reading_begins(
    committed: int | None, start: dict[int, int] | None, declared: str, begins: int
) -> None:
    """The group's position; else the start that apply wrote; else as declared."""
    bounds = Bounds(10, 40)
    assert first_position(PARTITION, committed, start, declared, bounds) == begins  # type: ignore[arg-type]


def test_a_position_below_the_log_is_lost_and_names_the_range() -> None:
    """Going on would skip records in silence."""
    with pytest.raises(PositionLost, match=r"offsets 4 to 9 .*accept-loss"):
        first_position(PARTITION, 4, None, "latest", Bounds(10, 40))
    with pytest.raises(PositionLost, match="behind the end 40"):
        first_position(PARTITION, 41, None, "latest", Bounds(10, 40))


def test_a_start_counts_for_its_own_topic_only() -> None:
    """A destination that was given to another merchant begins on that one's topic."""
    record = {"topic": TOPIC, "offsets": {"0": 7}, "declared_at": "2026-11-24T00:00:00Z"}
    assert observed_start(record, TOPIC) == {0: 7}
    assert observed_start(record, "usps.merchant.other.v1") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": "x"},
        {"event_id": "A" * 32},
        {"event_id": 7},
        {"tracking_number": ""},
        {"tracking_number": "9" * 65},
        {"tracking_number": ["a"]},
        {"category": "lunch"},
        {"category": []},
        {"received_at": "yesterday"},
        {"received_at": None},
        {"channel": "smoke"},
        {"mid": ["912345678"]},
    ],
)
def test_what_is_no_event_is_rejected(changes: dict[str, object]) -> None:
    """Nothing but its own form gets into headers, keys and decisions."""
    raw = orjson.dumps(scan_event("a") | changes)
    with pytest.raises(RecordRejected):
        read_event(merchant_record(raw, 0))


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}", b"\xff", b'"a"', b"7"])
def test_bytes_that_are_no_event_are_rejected(raw: bytes) -> None:
    """Whatever stands in a record, it is set aside and not tripped over."""
    with pytest.raises(RecordRejected):
        read_event(merchant_record(raw, 0))
