"""USPS stops calling: what is usual, what is silence, and what is told about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from receiver.check import silence_findings
from receiver.following.subscriptions import KnownSubscription, SubscriptionTable
from receiver.judging.tallies import Tallies
from receiver.program import Tools
from receiver.rhythm import Rhythm
from receiver.silence import FILE, RhythmFile, SilenceWatch
from schemas.kafka import KafkaOptions
from schemas.metrics import ReceiverMetrics, SilenceMetrics
from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from schemas.secrets import Secrets
from schemas.settings import Settings
from tests.receiver.asgi import request
from tests.receiver.fakes import FakeClock
from tests.receiver.world import SUBSCRIPTION, World, callback, running

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
NAME = SUBSCRIPTION.name


def heard_at(instants: list[datetime]) -> Rhythm:
    """After these calls."""
    rhythm = Rhythm(since=MONDAY)
    for at in instants:
        rhythm = rhythm.heard(at)
    return rhythm


def weekdays(days: int, start: datetime = MONDAY) -> list[datetime]:
    """A call every hour from 8 to 18 on working days."""
    return [
        start + day * DAY + hour * HOUR
        for day in range(days)
        for hour in range(8, 19)
        if (start + day * DAY).weekday() < 5
    ]


def test_weekend_is_usual() -> None:
    """A gap that comes every week is no silence; twice as long is not yet, thrice is."""
    rhythm = heard_at(weekdays(26))
    weekend = 62 * HOUR
    assert rhythm.usual_seconds() == weekend.total_seconds()
    friday = MONDAY + 25 * DAY + 18 * HOUR
    assert not rhythm.is_silent(friday + weekend)
    assert rhythm.is_silent(friday + 3 * weekend)


def test_one_outage_changes_nothing() -> None:
    """A week without calls does not make weeks without calls usual."""
    first = weekdays(19)
    rhythm = heard_at([*first, *weekdays(12, MONDAY + 28 * DAY)])
    usual = rhythm.usual_seconds()
    assert usual is not None
    assert usual <= (62 * HOUR).total_seconds()


def test_first_days_tell_nothing_usual() -> None:
    """Before three days nobody knows; USPS's 30 days count from the beginning."""
    rhythm = heard_at(weekdays(2))
    assert rhythm.usual_seconds() is None
    assert rhythm.ratio(MONDAY + 5 * DAY) is None
    never = Rhythm(since=MONDAY)
    assert never.days_left(MONDAY + 10 * DAY) == 20
    assert not never.is_silent(MONDAY + 19 * DAY)
    assert never.is_silent(MONDAY + 20 * DAY)


@given(
    st.lists(st.integers(0, 10**7).map(lambda s: MONDAY + timedelta(seconds=s)), max_size=60),
    st.randoms(),
)
def test_any_calls_in_any_order(instants: list[datetime], chance: object) -> None:
    """Bounded, never negative, and the last call is the latest."""
    rhythm = heard_at(instants)
    assert rhythm.last == max(instants, default=None)
    assert len(rhythm.longest) <= 28
    now = MONDAY + timedelta(seconds=10**7)
    assert rhythm.silence(now) >= timedelta(0)
    assert (rhythm.ratio(now) or 0.0) >= 0.0
    assert Rhythm.model_validate_json(rhythm.model_dump_json()) == rhythm


class Watching:
    """One worker's watch."""

    def __init__(self, directory: Path, clock: FakeClock, table: SubscriptionTable | None) -> None:
        self.metrics = CollectorRegistry()
        self.table = table
        self.tallies = Tallies(ReceiverMetrics(self.metrics))
        self.clock = clock
        self.watch = SilenceWatch(
            RhythmFile(directory),
            self.tallies,
            lambda: self.table,
            SilenceMetrics(self.metrics),
            clock,
        )

    def hear(self) -> None:
        self.tallies.heard(NAME, self.clock.now())

    def metric(self, name: str) -> float | None:
        return self.metrics.get_sample_value(
            f"usps_receiver_subscription_{name}", {"subscription": NAME}
        )


@pytest.fixture
def clock() -> FakeClock:
    """Set by the test."""
    return FakeClock()


@pytest.fixture
def table() -> SubscriptionTable:
    """One subscription."""
    return {"id-1": SUBSCRIPTION}


def test_silence_is_measured_over_restarts(
    tmp_path: Path, clock: FakeClock, table: SubscriptionTable
) -> None:
    """A receiver that starts anew knows when USPS called last."""
    before = Watching(tmp_path, clock, table)
    before.hear()
    before.watch.fold()
    clock.advance(7200)
    after = Watching(tmp_path, clock, table)
    after.watch.fold()
    assert after.metric("silent_seconds") == 7200
    assert after.metric("days_left") == pytest.approx(30 - 2 / 24)
    assert after.metric("silent_ratio") is None


def test_workers_share_what_they_hear(
    tmp_path: Path, clock: FakeClock, table: SubscriptionTable
) -> None:
    """What one worker heard, no other takes for silence."""
    one, other = Watching(tmp_path, clock, table), Watching(tmp_path, clock, table)
    one.watch.fold()
    for _ in range(4):
        clock.advance(DAY.total_seconds())
        one.hear()
        one.watch.fold()
        clock.advance(60)
        other.hear()
        other.watch.fold()
    one.watch.fold()
    assert one.metric("silent_seconds") == other.metric("silent_seconds") == 0
    clock.advance(2 * DAY.total_seconds())
    other.watch.fold()
    assert other.metric("silent_ratio") == pytest.approx(2 * 86400 / (86400 - 0), rel=0.01)


def test_each_threshold_warns_once(
    tmp_path: Path, clock: FakeClock, table: SubscriptionTable
) -> None:
    """At 20 and at 25 days, over restarts and workers; a call begins it anew."""
    Watching(tmp_path, clock, table).watch.fold()
    with capture_logs() as logs:
        for _ in range(29):
            clock.advance(DAY.total_seconds())
            Watching(tmp_path, clock, table).watch.fold()
        again = Watching(tmp_path, clock, table)
        again.hear()
        again.watch.fold()
        clock.advance(21 * DAY.total_seconds())
        again.watch.fold()
        again.watch.fold()
    told = [(entry["event"], entry["days"]) for entry in logs]
    assert told == [("subscription_silent", days) for days in (20, 25, 20)]
    assert "backfill --mid 998877665 --since 2026-05-14T15:42:10Z" in logs[0]["remedy"]


def test_spoilt_file_begins_anew(
    tmp_path: Path, clock: FakeClock, table: SubscriptionTable
) -> None:
    """It is said, and costs only what was known."""
    (tmp_path / FILE).write_bytes(b"{half")
    with capture_logs() as logs:
        watching = Watching(tmp_path, clock, table)
        watching.watch.fold()
    assert [entry["event"] for entry in logs] == ["silence_file_unreadable"]
    assert watching.metric("silent_seconds") == 0


def test_disk_that_fails_loses_nothing_heard(
    tmp_path: Path, clock: FakeClock, table: SubscriptionTable
) -> None:
    """It is said once; when the directory is back, the last call is known."""
    directory = tmp_path / "state"
    directory.write_bytes(b"a file where the directory should be")
    watching = Watching(directory, clock, table)
    watching.hear()
    with capture_logs() as logs:
        watching.watch.fold()
        watching.watch.fold()
    assert [entry["event"] for entry in logs] == ["silence_not_kept"]
    directory.unlink()
    clock.advance(60)
    watching.watch.fold()
    assert watching.metric("silent_seconds") == 60


def test_removed_subscription_has_no_metric(
    tmp_path: Path, clock: FakeClock, table: SubscriptionTable
) -> None:
    """What is declared no more does not alarm; before the registry is read nothing is told."""
    watching = Watching(tmp_path, clock, None)
    watching.watch.fold()
    assert watching.metric("silent_seconds") is None
    watching.table = table
    watching.watch.fold()
    assert watching.metric("silent_seconds") == 0
    watching.table = {}
    watching.watch.fold()
    assert watching.metric("silent_seconds") is None


async def test_verified_callback_is_heard() -> None:
    """A callback that verifies ends the silence, one that does not changes nothing."""
    async with running(World()) as world:
        body, headers = callback(secret=b"x" * 32)
        await request(world.app, headers=headers, pieces=[body])
        assert world.tallies.take_heard() == {}
        body, headers = callback()
        await request(world.app, headers=headers, pieces=[body])
        assert world.tallies.take_heard() == {NAME: world.clock.now()}


@pytest.fixture
def registry_log() -> RegistryLog:
    """One subscription by MID, one by number."""
    log = RegistryLog()
    by_number = {"tracking_number": "9205512345678000000017", "name": "number", "id": "id-2"}
    log.registry.put(Subscription(name=NAME, id="id-1", mid="998877665", secrets=["env:A"]))
    log.registry.put(Subscription.model_validate({**by_number, "secrets": ["env:A"]}))
    return log


def test_check_lists_the_silent_ones(
    tmp_path: Path, clock: FakeClock, registry_log: RegistryLog
) -> None:
    """With the command that fetches what was missed; a number only near USPS's 30 days."""
    settings = Settings(state_directory=tmp_path)
    secrets = Secrets({"A": "x" * 32}, lambda _: "")
    tools = Tools(settings, secrets, KafkaOptions(settings), clock)
    assert not silence_findings(registry_log, tools)
    number = KnownSubscription("number", None, "9205512345678000000017", (b"x" * 32,))
    watching = Watching(tmp_path, clock, {"id-1": SUBSCRIPTION, "id-2": number})
    for _ in range(5):
        clock.advance(DAY.total_seconds())
        watching.hear()
        watching.tallies.heard("number", clock.now())
        watching.watch.fold()
    assert not silence_findings(registry_log, tools)
    clock.advance(4 * DAY.total_seconds())
    [finding] = silence_findings(registry_log, tools)
    assert not finding.well
    assert finding.subject == f"silence of {NAME}"
    assert "backfill --mid 998877665 --since" in finding.detail
    clock.advance(17 * DAY.total_seconds())
    assert len(silence_findings(registry_log, tools)) == 2
