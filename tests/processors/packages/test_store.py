"""The store of states: what it takes, what survives, whom it lets in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from processors.packages.store import Mark, StateStore
from schemas.errors import Interrupted, OperatorError

MARK = Mark(11, 10, 12345)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StateStore]:
    """An open one."""
    found = StateStore(tmp_path / "partition-0")
    found.open()
    yield found
    await found.close()


def as_json(store: StateStore, key: bytes) -> bytes | None:
    """The state of a key."""
    found = store.get(key)
    return None if found is None else bytes(found)


async def test_what_was_taken_is_there_before_and_after_it_is_written(store: StateStore) -> None:
    """Memory first, then disk: a reader sees no difference."""
    store.take({b"a": (0, b"1"), b"b": (0, b"2")}, MARK)
    assert (as_json(store, b"a"), as_json(store, b"c")) == (b"1", None)
    await store.write()
    assert as_json(store, b"a") == b"1"
    store.take({b"a": None, b"b": (0, b"3")}, MARK)
    assert (as_json(store, b"a"), as_json(store, b"b")) == (None, b"3")
    await store.write()
    assert (as_json(store, b"a"), as_json(store, b"b")) == (None, b"3")


async def test_states_and_their_place_survive_a_restart(tmp_path: Path) -> None:
    """Closing writes the rest; opening again finds all of it."""
    store = StateStore(tmp_path)
    store.open()
    store.take({b"a": (7, b"1")}, MARK)
    await store.close()
    again = StateStore(tmp_path)
    again.open()
    assert (as_json(again, b"a"), again.mark) == (b"1", MARK)
    await again.close()


async def test_a_crash_loses_states_and_their_place_together(tmp_path: Path) -> None:
    """What was not yet written is gone, and the mark says so: it is read again from the topic."""
    store = StateStore(tmp_path / "store")
    store.open()
    store.take({b"a": (0, b"1")}, MARK)
    await store.write()
    store.take({b"a": (0, b"2"), b"b": (0, b"3")}, Mark(21, 20, 6789))
    copy = tmp_path / "as the crash left it"
    copy.mkdir()
    (copy / "data.mdb").write_bytes((tmp_path / "store" / "data.mdb").read_bytes())
    crashed = StateStore(copy)
    crashed.open()
    assert (as_json(crashed, b"a"), as_json(crashed, b"b")) == (b"1", None)
    assert crashed.mark == MARK
    await crashed.close()
    await store.close()


async def test_an_unknown_place_leaves_the_former_mark(store: StateStore) -> None:
    """The broker did not tell where the records stand: reading begins earlier, harmlessly."""
    store.take({b"a": (0, b"1")}, MARK)
    store.take({b"b": (0, b"2")}, None)
    assert store.mark == MARK


async def test_one_owner_at_a_time(store: StateStore, tmp_path: Path) -> None:
    """A second process waits until the first lets go."""
    second = StateStore(tmp_path / "partition-0")
    with pytest.raises(Interrupted) as told:
        second.open()
    assert told.value.retriable
    await store.close()
    second.open()
    await second.close()


async def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    """Local state may be lost: it comes back from Kafka."""
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    store = StateStore(tmp_path)
    store.open()
    assert store.mark is None
    store.take({b"a": (0, b"1")}, MARK)
    await store.write()
    assert as_json(store, b"a") == b"1"
    await store.close()


async def test_a_directory_that_is_none_is_told_to_the_operator(tmp_path: Path) -> None:
    """With the path, and what to look at."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError) as told:
        StateStore(tmp_path / "file" / "partition-0").open()
    assert str(tmp_path) in told.value.detail


async def test_the_map_grows_with_the_states(tmp_path: Path) -> None:
    """No size has to be chosen beforehand."""
    store = StateStore(tmp_path, first_map_bytes=256 * 1024)
    store.open()
    many = {b"%06d" % number: (0, b"x" * 2_000) for number in range(2_000)}
    store.take(many, MARK)
    await store.write()
    assert as_json(store, b"001999") == b"x" * 2_000
    await store.close()
    store.open()
    assert as_json(store, b"000000") == b"x" * 2_000
    await store.close()


async def test_any_number_is_a_key(store: StateStore) -> None:
    """Also one that is called like something of ours."""
    for key in (b"about", b"states", b"mark", "№ 64 ü".encode(), b"x" * 256):
        store.take({key: (0, key)}, MARK)
    await store.write()
    for key in (b"about", b"states", b"mark", "№ 64 ü".encode(), b"x" * 256):
        assert as_json(store, key) == key


async def test_much_that_is_unwritten_makes_the_next_batch_wait(store: StateStore) -> None:
    """Memory is bounded by what the disk takes."""
    full = [store.is_full]
    store.take({b"%d" % number: (0, b"x" * 1_000_000) for number in range(9)}, MARK)
    full.append(store.is_full)
    await store.write()
    assert [*full, store.is_full] == [False, True, False]


async def test_what_is_due_is_found_step_by_step(store: StateStore) -> None:
    """A few keys at a time, round and round; an unknown time counts as due."""
    store.take({b"a": (100, b"1"), b"b": (300, b"2"), b"c": (0, b"3"), b"d": (200, b"4")}, MARK)
    await store.write()
    assert store.due(b"", 2, 250) == ([b"a"], b"c")
    assert store.due(b"c", 2, 250) == ([b"c", b"d"], None)


async def test_clearing_forgets_all(store: StateStore) -> None:
    """For a disk that belongs to another topic."""
    store.take({b"a": (0, b"1")}, MARK)
    await store.write()
    await store.clear()
    assert (as_json(store, b"a"), store.mark) == (None, None)
    await store.load({b"b": b"2", b"c": None}, MARK)
    assert (as_json(store, b"b"), store.mark) == (b"2", MARK)
