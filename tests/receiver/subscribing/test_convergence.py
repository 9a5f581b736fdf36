"""From any state and any kill, repeated applies end with one subscription each, and no other."""

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from receiver.subscribing.shapes import ENABLED, EventFilter
from tests.receiver.subscribing.memory import NEW, OLD, URL, Killed, Oddities, wanted
from tests.receiver.subscribing.world import World

NAMES = ("acme", "beta")
FILTERS = {
    name: [
        EventFilter(mid, None, frozenset(types))
        for mid in (f"91234567{at}", f"91234568{at}")
        for types in ({"ALL_UPDATES"}, {"ALL_UPDATES", "PACKAGE_DELAYED"})
    ]
    for at, name in enumerate(NAMES)
}
DECLARED = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "account": st.sampled_from(["main", "main", "main", "other"]),
        "listener_url": st.sampled_from([URL, f"{URL}/2"]),
        "filter": st.integers(0, 3),
        "secret": st.sampled_from([NEW, OLD]),
    }
)
ACTIONS = st.one_of(
    st.tuples(st.just("apply"), st.none() | st.integers(0, 40)),
    st.tuples(st.just("apply"), st.integers(0, 40)),
    st.tuples(st.just("declare"), DECLARED),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("suspend"), st.integers(0, 3)),
    st.tuples(st.just("idle"), st.integers(0, 3)),
    st.tuples(st.just("stranger"), st.integers(0, 3)),
    st.tuples(st.just("list_behind"), st.booleans()),
    st.tuples(st.just("stale_tags"), st.integers(1, 3)),
    st.tuples(st.just("lost_answer"), st.none()),
)
ODDITIES = st.builds(
    Oddities,
    duplicates=st.sampled_from(["named", "unnamed", "repeat", "allowed"]),
    echo=st.sampled_from(["none", "plain", "masked"]),
)


async def apply_until_killed(world: World, moments: int | None) -> None:
    """None: it is not killed."""
    world.fuse.left = moments
    with suppress(Killed):
        await world.apply()
    world.fuse.left = None


def end_one(world: World, at: int, *, suspend: bool) -> None:
    """USPS suspends one of ours, or deletes it."""
    for subscription_id in sorted(world.living())[at : at + 1]:
        usps = world.usps_of(subscription_id)
        if suspend:
            usps.turn(subscription_id, "SUSPENDED")
        else:
            del usps.stored[subscription_id]


async def act(world: World, action: str, how: Any) -> None:
    """One thing that happens."""
    match action:
        case "apply":
            await apply_until_killed(world, how)
        case "declare":
            changes = {**how, "filter": FILTERS[how["name"]][how["filter"]]}
            world.declare(wanted(**{**changes, "secret": SecretStr(how["secret"])}))
        case "remove":
            world.declared.pop(how, None)
        case "suspend" | "idle":
            end_one(world, how, suspend=action == "suspend")
        case "stranger":
            world.main.put_there(FILTERS["acme"][how], f"{URL}/theirs")
        case "list_behind":
            for usps in world.usps.values():
                usps.fall_behind()
            world.oddities.list_behind = how
        case "stale_tags":
            world.oddities.stale_tags = how
        case "lost_answer":
            world.oddities.lost_answers += 1


def check(world: World) -> None:
    """What must hold at the end."""
    living = world.living()
    for one in world.declared.values():
        entry = world.topic.entries[one.name]
        shown = living.pop(entry.subscription_id)
        assert entry.account == one.account
        assert (entry.mid, entry.tracking_number) == one.filter.subject
        assert shown.filter == one.filter
        assert shown.listener_url == one.listener_url
        assert shown.status == ENABLED
        stored = world.usps[one.account].stored[entry.subscription_id]
        assert one.secret is not None
        assert stored.secret == one.secret.get_secret_value()
    assert not living, "something of ours lives beside what is declared"
    assert world.topic.entries.keys() == world.declared.keys()


async def ends_well(oddities: Oddities, story: list[tuple[str, Any]]) -> None:
    """Lets it happen, then applies until all is quiet."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), replace(oddities))
        world.declare(wanted(filter=FILTERS["acme"][0]))
        for action, how in story:
            await act(world, action, how)
        world.oddities.list_behind = False
        world.oddities.lost_answers = world.oddities.stale_tags = 0
        for _ in range(3):
            report = await world.apply()
        assert not list(report.problems())
        check(world)
        world.forget_calls()
        report = await world.apply()
        assert not report.changes
        assert not world.changing_calls()


STORIES = st.lists(ACTIONS, max_size=14)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(ODDITIES, STORIES)
async def test_any_story_ends_well(oddities: Oddities, story: list[tuple[str, Any]]) -> None:
    """Whatever happened, and wherever apply was killed, three quiet applies set all right."""
    await ends_well(oddities, story)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(ODDITIES, STORIES)
async def test_any_of_many_stories_ends_well(
    oddities: Oddities, story: list[tuple[str, Any]]
) -> None:
    """The same for more stories than anybody has time for."""
    await ends_well(oddities, story)
