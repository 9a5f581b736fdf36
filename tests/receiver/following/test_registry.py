"""The receiver's view of the registry: subscriptions, ids, secrets, and how soon it follows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.receiver.fakes import eventually
from tests.receiver.feed_of_registry import NAMES, NEW, OBSERVED, OLD, World, subscription


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Ended after the test."""
    one = World(tmp_path)
    one.running = asyncio.create_task(asyncio.sleep(0))
    yield one
    one.running.cancel()
    await asyncio.wait([one.running])


async def test_subscription_is_found_by_its_declared_id(world: World) -> None:
    """Newest secret first, as declared; the MID with it."""
    world.topics.apply(subscription(id="id-1"))
    await world.start()
    assert world.secrets_of("id-1") == (NEW.encode(), OLD.encode())
    assert world.view.table is not None
    assert world.view.table["id-1"].mid == "912345678"
    assert world.metrics.get_sample_value("usps_registry_revision") == 1


async def test_id_that_usps_gave_is_learnt(world: World) -> None:
    """Without a declared id it is found as soon as the id was observed, which several await."""
    world.topics.apply(subscription("one"), subscription("two"))
    await world.start()
    assert world.view.table == {}
    observed = {"subscription_id": "given", "observed_at": "2026-05-14T00:00:00Z"}
    world.topics.write(OBSERVED, "subscription/two", observed)
    await eventually(lambda: world.secrets_of("given"))
    assert world.view.table is not None
    assert world.view.table["given"].name == "two"


async def test_apply_is_followed(world: World) -> None:
    """A new subscription is known soon, a removed one no more."""
    world.topics.apply(subscription(id="id-1"))
    await world.start()
    world.topics.apply(subscription("beta", id="id-2"))
    await eventually(lambda: world.secrets_of("id-2"))
    world.topics.remove("acme")
    await eventually(lambda: world.secrets_of("id-1") is None)


async def test_rotated_file_works_without_restart(world: World) -> None:
    """A file that changes is in force within two seconds; half-written it is no secret."""
    world.files["secret"] = f"{OLD}\n"
    world.topics.apply(subscription(id="id-1", secrets=["file:secret"]))
    await world.start()
    assert world.secrets_of("id-1") == (OLD.encode(),)
    world.files["secret"] = NEW[:10]
    await eventually(lambda: world.secrets_of("id-1") == (), 2)
    world.files["secret"] = NEW
    await eventually(lambda: world.secrets_of("id-1") == (NEW.encode(),), 2)


async def test_subscription_without_any_secret_is_known_all_the_same(world: World) -> None:
    """It is in the table without secrets, and counted; when the file comes it has one."""
    references = ["env:MISSING", "env:SHORT", "file:late"]
    world.topics.apply(subscription(id="id-1", secrets=references))
    await world.start()
    assert world.secrets_of("id-1") == ()
    gauge = "usps_receiver_subscriptions_without_secret"
    assert world.metrics.get_sample_value(gauge) == 1
    world.files["late"] = NEW
    await eventually(lambda: world.secrets_of("id-1") == (NEW.encode(),), 2)
    assert world.metrics.get_sample_value(gauge) == 0


async def test_missing_topics_are_named_with_the_remedy(world: World) -> None:
    """Without its topics it is not ready, says why and what to do."""
    world.topics.exist = False
    world.running = asyncio.create_task(world.view.run())
    await eventually(lambda: NAMES.registry in world.view.readiness()[0])
    assert "registry apply" in world.view.readiness()[0]
    world.topics.exist = True
    await eventually(lambda: not world.view.readiness())


async def test_keeps_what_it_has_while_the_broker_is_away(world: World) -> None:
    """A view that was read once serves on, and reads all again when the broker is back."""
    world.topics.apply(subscription(id="id-1"))
    await world.start()
    world.topics.away = True
    await asyncio.sleep(0.05)
    assert world.secrets_of("id-1")
    assert not world.view.readiness()
    world.topics.apply(subscription("beta", id="id-2"))
    world.topics.away = False
    await eventually(lambda: world.secrets_of("id-2"))


async def test_not_ready_before_a_broker_was_reached(world: World) -> None:
    """A broker away at start is waited for; until then there is no table and a reason."""
    world.topics.away = True
    world.running = asyncio.create_task(world.view.run())
    await eventually(lambda: "cannot be reached" in world.view.readiness()[0])
    assert world.view.table is None
    world.topics.away = False
    await eventually(lambda: not world.view.readiness())


async def test_own_header_names_are_used(world: World) -> None:
    """A subscription's signature scheme may name other headers."""
    world.topics.apply(subscription(id="id-1", scheme={"headers": ["X-Signature"]}))
    await world.start()
    assert world.view.table is not None
    assert world.view.table["id-1"].scheme.header_names == (b"x-signature",)


async def test_id_calls_for_what_it_is_for_at_usps(world: World) -> None:
    """Another MID is declared: until USPS knows, and for late callbacks, the old one holds."""
    world.topics.apply(subscription(mid="998877665"))
    await world.start()
    seen = {
        "subscription_id": "new",
        "observed_at": "2026-05-14T00:00:00Z",
        "mid": "912345678",
        "former": [{"subscription_id": "old", "mid": "912345679"}, {"subscription_id": "older"}],
    }
    world.topics.write(OBSERVED, "subscription/acme", seen)
    await eventually(lambda: world.secrets_of("new"))
    assert world.view.table is not None
    mids = {given: known.mid for given, known in world.view.table.items()}
    assert mids == {"new": "912345678", "old": "912345679", "older": "998877665"}


async def test_former_id_that_another_name_has_is_that_ones(world: World) -> None:
    """A subscription that is taken over belongs to the name that has it now."""
    world.topics.apply(subscription("alpha"), subscription("beta"))
    await world.start()
    at = "2026-05-14T00:00:00Z"
    former = [{"subscription_id": "moved"}]
    alpha = {"subscription_id": "id-1", "observed_at": at, "former": former}
    world.topics.write(
        OBSERVED, "subscription/beta", {"subscription_id": "moved", "observed_at": at}
    )
    world.topics.write(OBSERVED, "subscription/alpha", alpha)
    await eventually(lambda: world.secrets_of("id-1"))
    assert world.view.table is not None
    assert world.view.table["moved"].name == "beta"
