"""Which destinations run here: follows the registry, one slot for each destination.

A slot lets go of what was declared before it takes up what is declared now, and waits for
no other slot.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from processors.deliver.declaration import declaration_digest, is_disabled
from processors.deliver.keeper import Keeper
from schemas.metrics import SinkMetrics
from schemas.registry.destinations import Destination
from schemas.registry.log import RegistryLog

# Whether this process runs the destination of that id.
Ours = Callable[[str], bool]
MakeKeeper = Callable[[Destination], Keeper]


class _Slot:
    """One destination id, from its first declaration here to its end."""

    def __init__(self, make_keeper: MakeKeeper) -> None:
        self.keeper: Keeper | None = None
        self.finished = False
        self._make_keeper = make_keeper
        self._work: asyncio.Task[None] | None = None
        self._wanted: Destination | None = None
        self._wanted_key: tuple[str, bool] | None = None
        self._running_key: tuple[str, bool] | None = None
        self._changed = asyncio.Event()

    def want(self, destination: Destination | None, *, disabled: bool = False) -> None:
        """What should run from now on; None: nothing."""
        self._wanted = destination
        self._wanted_key = (
            None if destination is None else (declaration_digest(destination), disabled)
        )
        self._changed.set()

    async def run(self) -> None:
        """Follows what is wanted, until nothing is."""
        while True:
            self._changed.clear()
            if self._wanted_key != self._running_key:
                await self._let_go()
                if self._wanted is None:
                    self.finished = True
                    return
                self._running_key = self._wanted_key
                self.keeper = self._make_keeper(self._wanted)
                self._work = asyncio.create_task(self.keeper.run())
            await self._changed.wait()

    async def _let_go(self) -> None:
        if self.keeper is not None and self._work is not None:
            self.keeper.stop()
            await self._work
        self.keeper = None


class Supervisor:
    """The slots of this process."""

    def __init__(
        self, registry_log: RegistryLog, ours: Ours, make_keeper: MakeKeeper, metrics: SinkMetrics
    ) -> None:
        self._log = registry_log
        self._ours = ours
        self._make_keeper = make_keeper
        self._metrics = metrics
        self._slots: dict[str, _Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def reconcile(self) -> None:
        """Takes up what the registry and the observations say now."""
        wanted = self._wanted()
        for destination_id in [known for known in self._slots if known not in wanted]:
            self._slots[destination_id].want(None)
        for destination_id, destination in wanted.items():
            slot = self._slots.get(destination_id)
            if slot is None or slot.finished:
                slot = self._open(destination_id)
            slot.want(destination, disabled=is_disabled(destination, self._log.observed))

    def keepers(self) -> Iterator[Keeper]:
        """Every destination's keeper."""
        return (slot.keeper for slot in self._slots.values() if slot.keeper is not None)

    def refresh(self) -> None:
        """A secret's file changed."""
        for keeper in self.keepers():
            keeper.refresh()

    async def stop(self) -> None:
        """Lets every destination finish what is in hand, all at a time."""
        for slot in self._slots.values():
            slot.want(None)
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    def _wanted(self) -> dict[str, Destination]:
        return {
            destination.id: destination
            for destination in self._log.registry.all("destination")
            if isinstance(destination, Destination)
            and destination.enabled
            and self._ours(destination.id)
        }

    def _open(self, destination_id: str) -> _Slot:
        slot = self._slots[destination_id] = _Slot(self._make_keeper)
        task = asyncio.create_task(slot.run())
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._closed(destination_id, slot, task))
        return slot

    def _closed(self, destination_id: str, slot: _Slot, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._slots.get(destination_id) is slot:
            del self._slots[destination_id]
            self._forget(destination_id)

    def _forget(self, destination_id: str) -> None:
        """What is gone has no lag and is not stopped."""
        metrics = self._metrics
        for gauge in (metrics.lag, metrics.stopped, metrics.breaker_open, metrics.in_flight):
            with suppress(KeyError):
                gauge.remove(destination_id)
