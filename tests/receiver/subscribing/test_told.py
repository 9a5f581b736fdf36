"""What is told: troubles, lists, plans; and never a secret."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from receiver.subscribing.books import BooksNotWritten
from receiver.subscribing.listing import rows
from receiver.subscribing.reconcile import plan
from receiver.subscribing.shapes import EventFilter, secret_mark
from receiver.usps.errors import UspsUnavailable
from schemas.registry.observed import ObservedSubscription
from tests.receiver.subscribing.memory import NEW, OLD, URL, Oddities, wanted
from tests.receiver.subscribing.world import World, planned, steps

MORE_TYPES = EventFilter("912345678", None, frozenset({"ALL_UPDATES", "PACKAGE_DELAYED"}))
OTHER_MID = EventFilter("912345679", None, frozenset({"ALL_UPDATES"}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One subscription declared, nothing at USPS."""
    world = World(tmp_path)
    world.declare(wanted())
    return world


async def test_stale_etag_is_read_again_once(world: World) -> None:
    """One 412 costs a GET; two in a row say that somebody else is at work."""
    await world.apply()
    world.declare(wanted(listener_url=f"{URL}/2"))
    world.oddities.stale_tags = 1
    assert steps(await world.apply()) == ["Update"]
    world.declare(wanted(listener_url=f"{URL}/3"))
    world.oddities.stale_tags = 2
    report = await world.apply()
    assert any("somebody else" in problem for problem in report.problems())


async def test_one_in_trouble_does_not_stop_the_others(world: World) -> None:
    """Each has its own end; the exit code says that not all is well."""
    world.declare(wanted("lost", account="gone"), wanted("beta", filter=OTHER_MID))
    ground = replace(world.ground(), no_api={"gone": "account gone: no credentials"})
    report = await plan(world.targets(), ground, delete=False, reference=str)
    assert report.plan_exit_code() == 1
    assert [len(entry.steps) for entry in report.entries] == [1, 0, 1]


async def test_books_that_cannot_be_written_end_it(world: World) -> None:
    """With the broker away nothing more is begun at USPS, and nothing is lost."""
    world.declare(wanted("beta", filter=OTHER_MID))

    async def away(name: str, seen: ObservedSubscription | None) -> None:
        raise BooksNotWritten("books_not_written", "the broker is away")

    well, world.topic.write = world.topic.write, away  # type: ignore[method-assign]
    report = await world.apply()
    assert [problem.partition(":")[0] for problem in report.problems()] == ["acme", "beta"]
    assert len(world.main.stored) == 1
    world.topic.write = well  # type: ignore[method-assign]
    await world.apply()
    assert len(world.living()) == 2


def files_in(directory: Path) -> list[str]:
    """The texts of all files."""
    return [file.read_text() for file in directory.rglob("*") if file.is_file()]


async def test_usps_that_is_away_is_not_asked_for_each(world: World) -> None:
    """After two that it does not answer for, the rest is told to be tried later."""
    world.declare(*(wanted(f"s-{number}", account="other") for number in range(5)))

    async def away(_: str) -> None:
        raise UspsUnavailable("no_answer", "USPS could not be asked")

    await world.apply()
    world.main.get = away  # type: ignore[assignment, method-assign]
    world.usps["other"].get = away  # type: ignore[assignment, method-assign]
    report = await planned(world)
    problems = list(report.problems())
    assert len(problems) == 6
    assert sum("could not be asked" in problem for problem in problems) == 2


async def test_list_shows_ours_and_what_is_beside(world: World) -> None:
    """What we know, what USPS lists for the same MID, and what is there no more."""
    world.declare(wanted("gone", filter=OTHER_MID))
    await world.apply()
    stranger = world.main.put_there(wanted().filter, f"{URL}/theirs")
    gone = world.topic.entries["gone"].subscription_id
    del world.main.stored[gone]
    listed = await rows(world.targets(), world.ground())
    shown = {row.place.subscription_id: row.document() for row in listed}
    ours = world.topic.entries["acme"].subscription_id
    assert {given: one["status"] for given, one in shown.items()} == {
        ours: "ENABLED",
        gone: "not at USPS",
        stranger: "ENABLED",
    }
    assert shown[stranger]["name"] is None
    lines = [row.line() for row in listed]
    assert f"acme  main  {ours}  ENABLED  mid 912345678: ALL_UPDATES  {URL}" in lines
    assert any(line.startswith("(not ours)") for line in lines)


async def test_plan_reads_like_a_plan(world: World) -> None:
    """A sign, a name and what is done, with what differs below; secrets by reference only."""
    world.declare(wanted("beta", filter=OTHER_MID, secret=None))
    await world.apply_only("acme")
    world.declare(wanted(listener_url=f"{URL}/2"))
    lines = list((await planned(world)).lines())
    ours = world.topic.entries["acme"].subscription_id
    assert f"~ acme  change {ours}" in lines
    assert f"    listener_url: {URL} -> {URL}/2" in lines
    assert "+ beta  secret at file:beta" in lines
    assert "+ beta  create (USPS does not have it)" in lines


async def test_no_secret_is_told_anywhere(tmp_path: Path) -> None:
    """Not in the report, the log, the journal or the books, whatever USPS repeats."""
    world = World(tmp_path, Oddities(echo="plain"))
    world.declare(wanted(secret=SecretStr(OLD)))
    with capture_logs() as logs:
        first = await world.apply()
        world.declare(wanted(older_marks=frozenset({secret_mark(OLD)}), more_secrets=1))
        report = await planned(world)
        second = await world.apply()
    told = [
        str(logs),
        *(str(one.document()) + "\n".join(one.lines()) for one in (first, report, second)),
        repr(first),
        repr(world.targets()),
        *(entry.model_dump_json() for entry in world.topic.entries.values()),
        *files_in(tmp_path),
    ]
    for text in told:
        assert NEW not in text
        assert OLD not in text
