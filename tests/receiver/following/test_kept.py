"""The subscriptions that were last seen, on disk: in force until the broker was reached."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.following.kept import KeptSubscriptions, document_of
from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from tests.receiver.fakes import eventually
from tests.receiver.feed_of_registry import NEW, OBSERVED, OLD, World, subscription


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Ended after the test."""
    one = World(tmp_path)
    one.running = asyncio.create_task(asyncio.sleep(0))
    yield one
    one.running.cancel()
    await asyncio.wait([one.running])


async def test_starts_from_what_it_last_saw(world: World, tmp_path: Path) -> None:
    """Without a broker the subscriptions last seen are in force, and it says so."""
    world.topics.apply(subscription(id="id-1", scheme={"headers": ["X-Signature"]}))
    world.topics.apply(subscription("beta"))
    observed = {"subscription_id": "given", "observed_at": "2026-05-14T00:00:00Z"}
    world.topics.write(OBSERVED, "subscription/beta", observed)
    await world.start()
    await eventually(lambda: world.keeps(b"given"))
    world.topics.away = True
    later = World(tmp_path, world.topics)
    later.view.restore()
    assert not later.view.readiness()
    assert later.secrets_of("id-1") == later.secrets_of("given") == (NEW.encode(), OLD.encode())
    assert later.view.table is not None
    assert later.view.table["id-1"].scheme.header_names == (b"x-signature",)
    assert "revision 2" in later.view.notes()[0]
    assert later.metrics.get_sample_value("usps_registry_revision") == 2


async def test_what_is_kept_follows_and_gives_way(world: World, tmp_path: Path) -> None:
    """An apply is kept within two seconds; what the broker says then replaces what was kept."""
    world.topics.apply(subscription(id="id-1"))
    await world.start()
    world.topics.apply(subscription("beta", id="id-2"))
    await eventually(lambda: world.keeps(b"id-2"), 2)
    world.topics.remove("acme")
    later = World(tmp_path, world.topics)
    later.view.restore()
    assert later.secrets_of("id-1")
    later.running = asyncio.create_task(later.view.run())
    await eventually(lambda: later.secrets_of("id-1") is None)
    assert later.secrets_of("id-2")
    assert not later.view.notes()
    later.running.cancel()
    await asyncio.wait([later.running])


async def test_no_secret_is_kept(world: World) -> None:
    """Only references, in a file for this user alone, written as a whole."""
    world.files["secret"] = NEW
    world.topics.apply(
        subscription(id="id-1", secrets=["file:secret", "env:OLD"], admin_emails=["a@b.example"])
    )
    await world.start()
    await eventually(world.kept.exists)
    content = world.kept.read_text()
    assert "file:secret" in content
    assert "env:OLD" in content
    assert not [word for word in (NEW, OLD, "a@b.example") if word in content]
    assert world.kept.stat().st_mode & 0o077 == 0
    assert list(world.kept.parent.iterdir()) == [world.kept]


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"{}", b'{"format": 2}', b"[1]", b"null"])
def test_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    """What cannot be read is not in force: the receiver is not ready, and reads from Kafka."""
    world = World(tmp_path)
    world.kept.write_bytes(content)
    world.view.restore()
    assert world.view.table is None
    assert world.view.readiness()


@given(st.data())
def test_any_damage_to_the_file_is_survived(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever the file holds, reading it ends with subscriptions or with none."""
    registry_log = RegistryLog()
    registry_log.registry.put(Subscription.model_validate(subscription(id="id-1")))
    content = bytearray(document_of(registry_log))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place : place + 3] = data.draw(st.binary(max_size=6))
    directory = tmp_path_factory.mktemp("kept")
    (directory / "subscriptions.json").write_bytes(content)
    KeptSubscriptions(directory).read()


async def test_disk_that_cannot_keep_it_stops_nothing(tmp_path: Path) -> None:
    """Subscriptions that cannot be kept are in force all the same."""
    (tmp_path / "file").touch()
    world = World(tmp_path / "file")
    world.topics.apply(subscription(id="id-1"))
    await world.start()
    assert world.secrets_of("id-1")
    world.running.cancel()
    await asyncio.wait([world.running])
