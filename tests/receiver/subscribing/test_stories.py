"""What apply does in the cases that matter, told one by one."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from receiver.subscribing.report import summary
from receiver.subscribing.shapes import EventFilter, secret_mark
from tests.receiver.subscribing.memory import NEW, OLD, URL, Killed, wanted
from tests.receiver.subscribing.world import World, notes, planned, steps

MORE_TYPES = EventFilter("912345678", None, frozenset({"ALL_UPDATES", "PACKAGE_DELAYED"}))
OTHER_MID = EventFilter("912345679", None, frozenset({"ALL_UPDATES"}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One subscription declared, nothing at USPS."""
    world = World(tmp_path)
    world.declare(wanted())
    return world


async def test_plan_tells_and_apply_does(world: World) -> None:
    """Changes: exit 2 and nothing done; after apply nothing changes any more: exit 0."""
    report = await planned(world)
    assert (steps(report), report.plan_exit_code()) == (["Create"], 2)
    assert summary(report, "to be done") == "1 create to be done."
    assert steps(await world.apply()) == ["Create"]
    report = await planned(world)
    assert (steps(report), report.plan_exit_code()) == ([], 0)
    assert summary(report, "done") == "Nothing changes at USPS."
    assert world.main.calls == ["GET"], "one call looks at a healthy subscription"


async def test_secret_is_rotated_in_steps(world: World) -> None:
    """The newest goes to USPS by PUT, and only then may the older ones go, which is told."""
    world.declare(wanted(secret=SecretStr(OLD)))
    await world.apply()
    rotating = wanted(older_marks=frozenset({secret_mark(OLD)}), more_secrets=1)
    world.declare(rotating)
    report = await planned(world)
    assert steps(report) == ["Update"]
    assert "remove the older ones" not in notes(report)
    await world.apply()
    [stored] = world.main.stored.values()
    assert stored.secret == NEW
    assert "remove the older ones" in notes(await planned(world))


@pytest.mark.parametrize("echo", ["none", "plain", "masked"])
async def test_secret_that_is_not_known_here_is_set_once(world: World, echo: str) -> None:
    """With the state directory lost it is set anew, unless USPS shows that it has it."""
    world.oddities.echo = echo
    await world.apply()
    (world.directory / "subscriptions" / "journal.json").unlink()
    assert steps(await world.apply()) == ([] if echo == "plain" else ["Update"])
    assert not steps(await planned(world))


async def test_suspended_is_enabled_and_backfill_proposed(world: World) -> None:
    """With the exact command, from the time of suspension."""
    await world.apply()
    [subscription_id] = world.main.stored
    world.main.turn(subscription_id, "SUSPENDED")
    since = world.main.stored[subscription_id].shown.status_changed_at
    report = await planned(world)
    command = f"scanwire-receiver backfill --mid 912345678 --since {since} --account main"
    assert command in notes(report)
    assert steps(await world.apply()) == ["Update"]
    assert world.main.stored[subscription_id].shown.status == "ENABLED"


async def test_listener_url_changes_by_put(world: World) -> None:
    """The subscription stays, and so does its id."""
    await world.apply()
    world.declare(wanted(listener_url=f"{URL}/2"))
    before = list(world.main.stored)
    assert steps(await world.apply()) == ["Update"]
    assert list(world.main.stored) == before


async def test_other_mid_comes_before_the_old_one_goes(world: World) -> None:
    """New first; the old id stays known, for the MID that it was for."""
    await world.apply()
    [old] = world.main.stored
    world.declare(wanted(filter=OTHER_MID))
    world.forget_calls()
    assert steps(await world.apply()) == ["Create", "Delete"]
    assert world.changing_calls() == ["POST", "DELETE"]
    entry = world.topic.entries["acme"]
    assert entry.mid == "912345679"
    [former] = entry.former
    assert (former.subscription_id, former.mid) == (old, "912345678")
    assert former.ended_at is not None


async def test_other_types_where_usps_takes_no_second(world: World) -> None:
    """The old one makes way, since USPS takes the new one for the same; the gap is told."""
    await world.apply()
    world.declare(wanted(filter=MORE_TYPES))
    world.forget_calls()
    report = await world.apply()
    assert world.changing_calls() == ["POST", "DELETE", "POST"]
    assert "backfill --mid 912345678" in notes(report)
    [shown] = world.main.seen().values()
    assert shown.filter == MORE_TYPES


async def test_duplicate_is_adopted(world: World) -> None:
    """One that was made by hand with the same listener and MID becomes ours, and is set right."""
    world.main.fall_behind()
    world.main.put_there(wanted().filter, URL)
    world.main.foreign.clear()
    report = await world.apply()
    assert steps(report) == ["Update"]
    [(subscription_id, stored)] = world.main.stored.items()
    assert world.topic.entries["acme"].subscription_id == subscription_id
    assert stored.secret == NEW


@pytest.mark.parametrize("event_filter", [wanted().filter, MORE_TYPES], ids=["equal", "like"])
async def test_duplicate_of_another_name_is_left_alone(
    tmp_path: Path, event_filter: EventFilter
) -> None:
    """What belongs to another declared name is neither adopted nor deleted."""
    world = World(tmp_path)
    world.declare(wanted("beta"))
    await world.apply()
    world.declare(wanted("acme", filter=event_filter))
    report = await world.apply()
    assert any("which is subscription beta" in problem for problem in report.problems())
    assert report.apply_exit_code() == 1
    assert len(world.main.stored) == 1


async def test_one_made_under_another_name_is_taken_over(world: World) -> None:
    """A name that changes in the registry file keeps its subscription at USPS."""
    await world.apply()
    [subscription_id] = world.main.stored
    del world.declared["acme"]
    world.declare(wanted("renamed"))
    report = await world.apply(delete=True)
    assert steps(report, "renamed") == ["Adopt"]
    assert list(world.main.stored) == [subscription_id]
    assert world.topic.entries.keys() == {"renamed"}


async def test_name_that_comes_back_gets_one_of_its_own(world: World) -> None:
    """What another name took over meanwhile stays with that one, also when filters change."""
    await world.apply()
    [taken] = world.main.stored
    del world.declared["acme"]
    world.declare(wanted("renamed"))
    await world.apply(delete=False)
    world.declare(wanted("acme", listener_url=f"{URL}/2"))
    for _ in range(2):
        assert not list((await world.apply()).problems())
    assert world.topic.entries["renamed"].subscription_id == taken
    assert world.topic.entries["acme"].subscription_id != taken
    assert len(world.main.stored) == 2
    assert not (await world.apply()).changes


async def test_stranger_that_is_equal_is_told(world: World) -> None:
    """A second one that we do not know is never deleted."""
    world.oddities.duplicates = "allowed"
    world.oddities.lost_answers = 1
    world.main.fall_behind()
    report = await world.apply()
    assert list(report.problems())
    await world.apply()
    world.oddities.list_behind = False
    world.clock.advance(-86_400)
    stranger = world.main.put_there(wanted().filter, URL)
    world.clock.advance(86_400)
    report = await world.apply()
    assert stranger in notes(report)
    assert stranger in world.main.stored
    assert len(world.living()) == 1


async def test_deleted_for_silence_is_made_anew(world: World) -> None:
    """After USPS's 30 days it is created again, with the back-fill proposed."""
    await world.apply()
    world.main.stored.clear()
    report = await world.apply()
    assert steps(report) == ["Create"]
    assert "backfill --mid 912345678" in notes(report)
    assert len(world.living()) == 1


async def test_removed_is_deleted_only_when_asked(world: World) -> None:
    """Otherwise it is told, as often as one looks."""
    await world.apply()
    world.declared.clear()
    report = await planned(world)
    assert (steps(report), report.plan_exit_code()) == ([], 0)
    assert "apply --delete" in notes(report)
    assert steps(await planned(world, delete=True)) == ["Delete"]
    assert steps(await world.apply(delete=False)) == []
    assert len(world.living()) == 1
    await world.apply(delete=True)
    assert not world.living()
    assert not world.topic.entries


async def test_account_that_is_gone_is_not_guessed(world: World) -> None:
    """What lives in an account that is declared no more is told and not forgotten."""
    await world.apply()
    world.declared.clear()
    del world.usps["main"]
    report = await world.apply(delete=True)
    assert "account is not declared any more" in notes(report)
    assert world.topic.entries.keys() == {"acme"}


async def test_declared_id_is_taken_if_it_is_for_the_same(world: World) -> None:
    """The registry file may name what was made before us; not what is for another MID."""
    known = world.main.put_there(wanted().filter, f"{URL}/old")
    other = world.main.put_there(OTHER_MID, URL)
    world.declare(wanted(declared_id=other))
    report = await world.apply()
    assert any("for another" in p or "correct or remove the id" in p for p in report.problems())
    world.declare(wanted(declared_id=known))
    assert steps(await world.apply()) == ["Adopt", "Update"]
    assert len(world.main.stored) == 2


async def test_killed_before_the_answer_is_found_again(world: World) -> None:
    """The journal knows of a creation that nobody saw the end of, and its twin is deleted."""
    world.oddities.duplicates = "allowed"
    world.main.fall_behind()
    world.fuse.left = 4  # the list, the journal's two, the creation, and then nothing more
    with pytest.raises(Killed):
        await world.apply()
    assert len(world.main.stored) == 1
    assert not world.topic.entries
    await world.apply()
    assert len(world.main.stored) == 2
    world.oddities.list_behind = False
    report = await world.apply()
    assert steps(report) == ["Delete"]
    assert len(world.main.stored) == 1
