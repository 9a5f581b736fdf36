"""Which destinations run follows the registry, each by itself."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from processors.deliver.declaration import declaration_digest
from processors.deliver.supervisor import Supervisor
from schemas.metrics import SinkMetrics
from schemas.registry.destinations import Destination, HttpDestination
from schemas.registry.log import RegistryLog
from tests.processors.deliver.fakes import DESTINATION


class FakeKeeper:
    """A keeper that runs until it is stopped, and may be slow to end."""

    def __init__(self, destination: Destination, told: list[str]) -> None:
        self.destination = destination
        self._told = told
        self._stopping = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        told.append(f"made {self}")

    def __str__(self) -> str:
        assert isinstance(self.destination, HttpDestination)
        return f"{self.destination.id}/{self.destination.timeout_seconds:g}"

    async def run(self) -> None:
        await self._stopping.wait()
        await self.may_end.wait()
        self._told.append(f"ended {self}")

    def stop(self) -> None:
        self._stopping.set()

    def refresh(self) -> None:
        self._told.append(f"refreshed {self}")


class Floor:
    """A supervisor over a registry that the test writes."""

    def __init__(self, ours: Callable[[str], bool] = lambda _: True) -> None:
        self.told: list[str] = []
        self.keepers: dict[str, FakeKeeper] = {}
        self.log = RegistryLog()
        metrics = SinkMetrics(CollectorRegistry())
        self.supervisor = Supervisor(self.log, ours, self._make, metrics)  # type: ignore[arg-type]

    def _make(self, destination: Destination) -> FakeKeeper:
        keeper = FakeKeeper(destination, self.told)
        self.keepers[str(keeper)] = keeper
        return keeper

    def declare(self, destination_id: str, timeout: float = 15, *, enabled: bool = True) -> None:
        changes = {"id": destination_id, "timeout_seconds": timeout, "enabled": enabled}
        self.log.registry.put(DESTINATION.model_copy(update=changes))

    async def reconcile(self) -> list[str]:
        """What happened since the last call."""
        self.supervisor.reconcile()
        for _ in range(10):
            await asyncio.sleep(0)
        told, self.told[:] = list(self.told), []
        return told


async def test_destinations_appear_change_and_vanish() -> None:
    """A changed declaration is run anew, after what ran before has ended."""
    floor = Floor()
    floor.declare("one")
    floor.declare("two")
    assert await floor.reconcile() == ["made one/15", "made two/15"]
    floor.declare("one", timeout=3)
    assert await floor.reconcile() == ["ended one/15", "made one/3"]
    floor.log.registry.remove("destination", "two")
    assert await floor.reconcile() == ["ended two/15"]
    assert await floor.reconcile() == []


async def test_only_enabled_destinations_of_the_shard_run() -> None:
    """The others are another process's, or nobody's."""
    floor = Floor(lambda known: known != "other")
    floor.declare("one", enabled=False)
    floor.declare("other")
    assert await floor.reconcile() == []
    floor.declare("one")
    assert await floor.reconcile() == ["made one/15"]


async def test_a_destination_that_is_slow_to_end_holds_up_no_other() -> None:
    """The old one finishes in its own time, and only then the new one begins."""
    floor = Floor()
    floor.declare("slow")
    await floor.reconcile()
    floor.keepers["slow/15"].may_end.clear()
    floor.declare("slow", timeout=3)
    floor.declare("two")
    assert await floor.reconcile() == ["made two/15"]
    floor.keepers["slow/15"].may_end.set()
    assert await floor.reconcile() == ["ended slow/15", "made slow/3"]


async def test_a_destination_that_comes_back_while_it_ends_runs_again() -> None:
    """Removed and declared again in one breath, it is not forgotten."""
    floor = Floor()
    floor.declare("one")
    await floor.reconcile()
    floor.keepers["one/15"].may_end.clear()
    floor.log.registry.remove("destination", "one")
    await floor.reconcile()
    floor.declare("one", timeout=3)
    assert await floor.reconcile() == []
    floor.keepers["one/15"].may_end.set()
    assert await floor.reconcile() == ["ended one/15", "made one/3"]


async def test_a_410_and_its_end_are_taken_up() -> None:
    """An observation about a destination changes what runs, like a declaration."""
    floor = Floor()
    floor.declare("one")
    await floor.reconcile()
    declared = floor.log.registry.destination("one")
    assert declared is not None
    digest = declaration_digest(declared)
    floor.log.apply_observed("disabled/one", b'{"declared": "%b"}' % digest.encode())
    assert await floor.reconcile() == ["ended one/15", "made one/15"]
    floor.log.apply_observed("disabled/one", None)
    assert await floor.reconcile() == ["ended one/15", "made one/15"]


@pytest.mark.parametrize("count", [0, 3])
async def test_stopping_ends_all_at_a_time(count: int) -> None:
    """It returns when each has finished what was in hand."""
    floor = Floor()
    for n in range(count):
        floor.declare(f"d{n}")
    await floor.reconcile()
    await floor.supervisor.stop()
    assert sorted(floor.told) == [f"ended d{n}/15" for n in range(count)]
    assert list(floor.supervisor.keepers()) == []


async def test_every_destination_hears_of_a_changed_secret() -> None:
    """Its file was read again; its sink resolves it."""
    floor = Floor()
    floor.declare("one")
    await floor.reconcile()
    floor.supervisor.refresh()
    assert floor.told == ["refreshed one/15"]
