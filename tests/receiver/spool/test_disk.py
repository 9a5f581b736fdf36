"""The spool's disk: full, read-only, damaged, taken away, in use, left over by others."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from receiver.publishing.door import OutgoingRecord
from receiver.spool import spool as module
from receiver.spool.directory import SpoolDirectory
from receiver.spool.disk import SpoolDisk
from receiver.spool.look import look
from receiver.spool.rows import Row, to_record, to_row
from receiver.spool.salvage import replace_damaged, set_aside_files
from receiver.spool.store import SHRINK_BYTES, Changes, Depth, SpoolStore
from receiver.spool.troubles import Troubles
from schemas.clock import SystemClock
from schemas.errors import OperatorError, PublishFailed
from schemas.metrics import SpoolMetrics
from tests.receiver.fakes import eventually
from tests.receiver.spooling import TOPIC, SpoolWorld, new_kafka, running, values

LANE = TopicPartition(TOPIC, 0)
NOW = datetime(2026, 5, 14, tzinfo=UTC)


def row(seq: int, value: bytes = b"value", partition: int = 0) -> Row:
    """A row of a lane."""
    record = OutgoingRecord(TOPIC, b"key", value, [])
    return to_row(record, TopicPartition(TOPIC, partition), float(seq))._replace(seq=seq)


def filled(directory: Path, count: int, size: int = 3000) -> Path:
    """A closed store with so many rows."""
    directory.mkdir(parents=True, exist_ok=True)
    store = SpoolStore(directory)
    store.commit(Changes([row(seq, bytes([seq % 256]) * size) for seq in range(1, count + 1)]))
    store.close()
    return store.path


def seqs(store: SpoolStore, lane: TopicPartition = LANE) -> list[int]:
    """All of a lane."""
    found: list[int] = []
    while rows := store.read(lane, found[-1] if found else 0, 1 << 60, 1 << 30):
        found += [one.seq for one in rows]
    return found


@given(
    st.binary(), st.binary(), st.lists(st.tuples(st.text(), st.binary())).map(list), st.floats(0, 1)
)
def test_records_come_back_as_they_were(
    key: bytes, value: bytes, headers: list[tuple[str, bytes]], at: float
) -> None:
    """Any key, value and headers."""
    try:
        [name.encode() for name, _ in headers]
    except UnicodeEncodeError:
        return  # Kafka takes no such name either
    record = OutgoingRecord(TOPIC, key, value, headers)
    kept = to_row(record, LANE, at)
    assert kept._replace(seq=1).intact
    assert to_record(kept) == record


def test_rows_are_for_this_user_only(tmp_path: Path) -> None:
    """Callbacks hold addresses: no file of the spool is readable for others."""
    store = SpoolStore(tmp_path)
    store.commit(Changes([row(1)]))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}
    store.close()


def test_reads_in_order_by_lane_and_forgets_up_to(tmp_path: Path) -> None:
    """A lane's rows in their order, in chunks; those up to a number are forgotten."""
    store = SpoolStore(tmp_path)
    rows = [row(seq, partition=seq % 2) for seq in range(1, 1201)]
    assert store.commit(Changes(rows)).records == 1200
    assert seqs(store) == list(range(2, 1201, 2))
    assert len(store.read(LANE, 0, 1200, 1)) == 1
    assert store.read(LANE, 0, 2, 1 << 30) == [rows[1]]
    depth = store.commit(Changes(gone={LANE: 1198}, parked=[1200]))
    assert (depth.records, depth.oldest_at) == (601, 1.0)
    assert seqs(store) == []
    store.close()
    again = SpoolStore(tmp_path)
    assert again.depth().records == 601
    again.close()


def test_an_emptied_file_gives_its_space_back(tmp_path: Path) -> None:
    """What a long outage took is free again after it."""
    path = filled(tmp_path, 5, SHRINK_BYTES // 4)
    store = SpoolStore(tmp_path)
    store.commit(Changes(gone={LANE: 5}))
    assert path.stat().st_size < 100_000
    store.close()


def damage_header(path: Path) -> None:
    """The file is no database any more."""
    path.write_bytes(b"garbage " * 1000 + path.read_bytes()[8000:])


def cut_off(path: Path) -> None:
    """Half of it is gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_middle(path: Path) -> None:
    """One page of it is nonsense."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xa5" * 4096 + content[middle + 4096 :])


@pytest.mark.parametrize(
    ("damage", "saved"), [(damage_header, 0), (cut_off, 130), (damage_middle, 290)]
)
def test_what_can_be_read_of_a_damaged_file_is_read(
    tmp_path: Path, damage: Callable[[Path], None], saved: int
) -> None:
    """The file stays under another name; intact rows are in the new one, in their order."""
    path = filled(tmp_path, 300)
    damage(path)
    store = replace_damaged(tmp_path, NOW)
    found = seqs(store)
    assert len(found) >= saved
    assert found == sorted(found)
    assert len(set_aside_files(tmp_path)) == 1
    assert all(one.intact for one in store.read(LANE, 0, 1 << 60, 1 << 30))
    store.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_is_survived(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever bytes a file has, it opens, or is replaced; nothing damaged is ever given out."""
    directory = tmp_path_factory.mktemp("spool")
    path = filled(directory, 40)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        garbage = data.draw(st.binary(min_size=1, max_size=300))
        content[place : place + len(garbage)] = garbage
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        store = SpoolStore(directory)
    except sqlite3.Error:
        store = replace_damaged(directory, NOW)
    known = {one.seq: one for one in (row(n, bytes([n]) * 3000) for n in range(1, 41))}
    try:
        for one in store.read(LANE, 0, 1 << 60, 1 << 30):
            assert not one.intact or one.value == known[one.seq].value
    except sqlite3.Error:
        store.close()
        store = replace_damaged(directory, NOW)
    store.close()
    shutil.rmtree(directory)


async def test_damaged_at_start(tmp_path: Path) -> None:
    """Said, set aside, and what was saved of it is drained."""
    world = SpoolWorld(new_kafka(1), tmp_path)
    async with running(world):
        await world.connected()
        world.kafka.reachable = False
        await asyncio.gather(*(world.publish(f"{n:03}" + "x" * 3000) for n in range(100)))
    damage_middle(world.spool._path / "spool.db")
    later = SpoolWorld(world.kafka, tmp_path)
    assert "set aside" in later.spool.notes()[0]
    assert later.counted("spool_failures_total", {"reason": "damaged"}) == 1
    world.kafka.reachable = True
    async with running(later):
        await later.connected()
        await later.drained()
        await later.publish("goes on")
    found = values(world.kafka)
    assert found == [*sorted(found[:-1]), "goes on"]
    assert len(found) > 90


async def test_damaged_while_it_runs(tmp_path: Path) -> None:
    """Found when it is read: what can be is saved, and records flow on."""
    world = SpoolWorld(new_kafka(1), tmp_path)
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await asyncio.gather(*(world.publish(f"{n:04}" + "x" * 3000) for n in range(1500)))
        with closing(sqlite3.connect(world.spool._path / "spool.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage_middle(world.spool._path / "spool.db")
        world.kafka.answer()
        await world.drained()
        await world.publish("goes on")
        assert world.counted("spool_failures_total", {"reason": "damaged"}) >= 1
    found = values(world.kafka)
    assert found[-1] == "goes on"
    assert found == sorted(found)
    assert len(found) > 1000


async def test_file_that_was_taken_away_is_written_anew(tmp_path: Path) -> None:
    """What was in it is in the new file before the next answer."""
    world = SpoolWorld(new_kafka(1), tmp_path / "spool")
    world.start()
    await world.connected()
    world.kafka.reachable = False
    await world.publish("first")
    shutil.rmtree(tmp_path / "spool")
    await world.publish("second")
    await world.crash(tmp_path / "after")
    world.kafka.reachable = True
    async with running(SpoolWorld(world.kafka, tmp_path / "after")) as later:
        await later.connected()
        await later.drained()
    assert values(world.kafka) == ["first", "second"]


async def test_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    """While the disk is full: 503 without a broker, 200 with one; then the spool works again."""
    world = SpoolWorld(new_kafka(1), tmp_path)
    async with running(world):
        await world.connected()
        store = world.spool._disk.store
        assert store is not None
        store.connection.execute("PRAGMA max_page_count = 20")
        world.kafka.answering = False
        with pytest.raises(PublishFailed):
            await world.publish("x" * 200_000)
        assert "its disk is full" in world.spool.notes()[0]
        assert world.counted("spool_failures_total", {"reason": "disk_full"}) >= 1
        assert not world.door.spools
        world.kafka.answer()
        await world.publish("through the broker")
        store.connection.execute("PRAGMA max_page_count = 1000000")
        world.kafka.answering = False
        await eventually(lambda: world.door.spools)
        await world.publish("through the spool")
        assert not world.spool.notes()
        world.kafka.answer()
        await world.drained()
    assert values(world.kafka)[-2:] == ["through the broker", "through the spool"]


class FullDisk(SpoolStore):
    """A store that has room for no change as long as the reserve takes it."""

    def commit(self, changes: Changes) -> Depth:
        """As SQLite on a disk without one free page."""
        if (self.path.parent / "reserve").exists():
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        return super().commit(changes)


async def test_a_disk_that_the_spool_filled_is_emptied_again(tmp_path: Path) -> None:
    """To delete takes room too, which is kept for it; no record may use that up."""
    filled(tmp_path / "worker-0", 3)
    clock = SystemClock()
    directory = SpoolDirectory(tmp_path)
    troubles = Troubles(directory.path, SpoolMetrics(CollectorRegistry()), clock)
    disk = SpoolDisk(directory, troubles, clock)
    assert disk.open()
    assert disk.store is not None
    disk.store.close()
    disk.store = FullDisk(directory.path)
    assert await disk.commit(Changes([row(4)], {LANE: 2})) is None
    assert "full" in disk.notes()[0]
    depth = await disk.commit(Changes(gone={LANE: 2}))
    assert depth is not None
    assert depth.records == 1
    assert not disk.notes()
    assert (directory.path / "reserve").stat().st_size > 0
    await disk.close()


async def test_read_only_while_it_runs(tmp_path: Path) -> None:
    """What is in it is drained all the same; what cannot be deleted is, as soon as it can be."""
    world = SpoolWorld(new_kafka(1), tmp_path)
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await world.publish("spooled")
        store = world.spool._disk.store
        assert store is not None
        store.connection.execute("PRAGMA query_only = ON")
        world.kafka.answer()
        await eventually(lambda: values(world.kafka) == ["spooled"])
        await world.publish("after")
        await eventually(world.spool.notes)
        assert "cannot be written" in world.spool.notes()[0]
        store.connection.execute("PRAGMA query_only = OFF")
        world.spool._wanted.set()
        await world.drained()


async def test_unusable_at_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that cannot be a directory: records flow through Kafka; once it can, it is used."""
    monkeypatch.setattr(module, "REOPEN_SECONDS", 0.02)
    filled(tmp_path / "good" / "worker-0", 3)
    (tmp_path / "spool").write_text("no directory")
    world = SpoolWorld(new_kafka(1), tmp_path / "spool")
    assert "cannot be opened" in world.spool.notes()[0]
    async with running(world):
        await world.connected()
        await world.publish("straight")
        (tmp_path / "spool").unlink()
        (tmp_path / "good").rename(tmp_path / "spool")
        await eventually(lambda: world.waiting == 0 and len(world.kafka.written) == 4)
        assert not world.spool.notes()


def test_one_process_per_directory(tmp_path: Path) -> None:
    """A second one is told; a second worker has a directory of its own."""
    first = SpoolDirectory(tmp_path).take()
    with pytest.raises(OperatorError, match="SPOOL_DIRECTORY"):
        SpoolDirectory(tmp_path).take()
    second = SpoolDirectory(tmp_path, 1, 2).take()
    first.close()
    SpoolDirectory(tmp_path).take().close()
    second.close()


def test_what_workers_left_is_adopted(tmp_path: Path) -> None:
    """The first worker takes over what higher numbers left, but not what is still in use."""
    for worker in (1, 2, 3):
        filled(tmp_path / f"worker-{worker}", 600)
    used = SpoolDirectory(tmp_path, 3, 4).take()
    own = SpoolDirectory(tmp_path, 0, 2)
    lock = own.take()
    store = SpoolStore(own.path)
    assert own.adopt(store) == 600
    assert own.adopt(store) == 0
    assert seqs(store) == list(range(1, 601))
    assert SpoolDirectory(tmp_path, 1, 2).adopt(store) == 0
    assert {depth.records for depth in look(tmp_path)} == {600, 0}
    for one in (store, used, lock):
        one.close()


def test_look_disturbs_nobody(tmp_path: Path) -> None:
    """Depth and age are read while the receiver writes; a damaged file is told."""
    filled(tmp_path / "worker-0", 10)
    store = SpoolStore(tmp_path / "worker-0")
    store.connection.execute("BEGIN IMMEDIATE")
    [found] = look(tmp_path)
    assert (found.records, found.oldest_at, found.trouble) == (10, 1.0, "")
    store.connection.execute("COMMIT")
    store.close()
    damage_header(tmp_path / "worker-0" / "spool.db")
    assert "damaged" in look(tmp_path)[0].trouble
    assert look(tmp_path / "nothing there") == []
