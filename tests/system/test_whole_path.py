"""From USPS to the merchants: every program a process, on a real broker."""

from pathlib import Path

import pytest

from deploy.broker import LocalBroker
from receiver.simulator.faults import SOME
from tests.system.usps import Pushed, callbacks, push
from tests.system.world import World, running_world

EVERYBODY = ("acme", "beta", "gamma", "delta", "epsilon")


def wanted_of(world: World, pushed: Pushed) -> dict[str, set[str]]:
    """Event ids that each merchant must get, of what was answered 200."""
    by_subscription: dict[str, set[str]] = {}
    for sent in pushed.accepted:
        by_subscription.setdefault(sent.subscription_id, set()).update(sent.event_ids)
    acme = by_subscription.get("sub-a", set())
    return {"acme": acme, "delta": acme, "beta": by_subscription.get("sub-b", set())}


def assert_right(world: World, wanted: dict[str, set[str]]) -> None:
    """Each got its own and nothing else, in order, repeats only with equal bodies."""
    for name in EVERYBODY:
        received = world.merchants.of(name)
        assert received.unverified == 0
        assert received.event_ids == wanted.get(name, set())
        assert received.out_of_order() == []
        assert all(len(bodies) == 1 for bodies in received.bodies.values())


@pytest.mark.timeout(170)
async def test_from_callback_to_merchant(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Odd journeys and faulty requests: each entitled party gets its events, in order, signed."""
    async with running_world(broker, topic_prefix, tmp_path) as world:
        stream = callbacks(world.subscribers(), packages=60, seed=5, faults=SOME)
        pushed = await push(stream, world.listener, rate=150)
        assert pushed.wrong == []
        assert pushed.refused.total() > 0
        wanted = wanted_of(world, pushed)
        assert all(wanted.values())
        assert await world.settled(wanted) == {}
        assert await world.ledger_balanced() == ""
        assert_right(world, wanted)
        assert set((await world.end()).values()) == {0}
