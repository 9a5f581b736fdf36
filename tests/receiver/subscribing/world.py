"""A machine of ours before the in-memory USPS: books, journal, and applies that may be killed."""

from datetime import datetime
from pathlib import Path

from receiver.subscribing.books import Books
from receiver.subscribing.journal import Journal
from receiver.subscribing.reconcile import Ground, apply, plan
from receiver.subscribing.report import Report
from receiver.subscribing.shapes import UspsSubscription, Wanted
from receiver.subscribing.targets import Targets
from schemas.registry.observed import ObservedSubscription
from tests.receiver.fakes import FakeClock
from tests.receiver.subscribing.memory import Fuse, MemoryUsps, Oddities


class MemoryTopic:
    """An `ObservedTopic`."""

    def __init__(self, fuse: Fuse) -> None:
        self.entries: dict[str, ObservedSubscription] = {}
        self._fuse = fuse

    async def write(self, name: str, seen: ObservedSubscription | None) -> None:
        self._fuse.moment()
        if seen is None:
            self.entries.pop(name, None)
        else:
            self.entries[name] = seen
        self._fuse.moment()


class FusedJournal(Journal):
    """A journal whose writing may be the last thing that happens."""

    def __init__(self, directory: Path, fuse: Fuse) -> None:
        super().__init__(directory)
        self._fuse = fuse

    def _write(self) -> None:
        self._fuse.moment()
        super()._write()
        self._fuse.moment()


class World:
    """USPS, two accounts of ours, and what a machine of ours keeps."""

    def __init__(self, directory: Path, oddities: Oddities | None = None) -> None:
        self.directory = directory
        self.fuse = Fuse()
        self.clock = FakeClock()
        self.oddities = oddities or Oddities()
        self.usps = {
            name: MemoryUsps(name, self.clock, self.fuse, self.oddities)
            for name in ("main", "other")
        }
        self.topic = MemoryTopic(self.fuse)
        self.declared: dict[str, Wanted] = {}

    @property
    def main(self) -> MemoryUsps:
        return self.usps["main"]

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def declare(self, *wanted_ones: Wanted) -> None:
        self.declared |= {one.name: one for one in wanted_ones}

    def ground(self) -> Ground:
        """As a new process finds it."""
        journal = FusedJournal(self.directory, self.fuse)
        return Ground(self.usps, {}, Books(self.topic.entries, self.topic), journal, self.clock)

    def targets(self) -> Targets:
        ids = {name: one.declared_id for name, one in self.declared.items()}
        return Targets(wanted=dict(self.declared), declared_ids=ids)

    async def apply(self, *, delete: bool = True) -> Report:
        """One process that applies and ends."""
        self.clock.advance(1)
        return await apply(self.targets(), self.ground(), delete=delete)

    async def apply_only(self, name: str) -> None:
        """With one of the declared ones."""
        others = {one: self.declared.pop(one) for one in list(self.declared) if one != name}
        await self.apply()
        self.declared |= others

    def living(self) -> dict[str, UspsSubscription]:
        """All that live at USPS and are not somebody else's."""
        return {
            subscription_id: shown
            for one in self.usps.values()
            for subscription_id, shown in one.seen().items()
            if subscription_id not in one.foreign
        }

    def forget_calls(self) -> None:
        for one in self.usps.values():
            one.calls.clear()

    def usps_of(self, subscription_id: str) -> MemoryUsps:
        return next(one for one in self.usps.values() if subscription_id in one.stored)

    def changing_calls(self) -> list[str]:
        return [call for one in self.usps.values() for call in one.calls if call not in READS]


READS = ("GET", "LIST")


async def planned(world: World, *, delete: bool = False) -> Report:
    """A plan, which changes nothing."""
    world.forget_calls()
    before = dict(world.topic.entries)
    report = await plan(
        world.targets(), world.ground(), delete=delete, reference=lambda name: f"file:{name}"
    )
    assert not world.changing_calls()
    assert world.topic.entries == before
    return report


def steps(report: Report, name: str = "acme") -> list[str]:
    """The kinds of a name's steps."""
    [entry] = [entry for entry in report.entries if entry.name == name]
    return [type(step).__name__ for step in entry.steps]


def notes(report: Report) -> str:
    """All notes."""
    return " ".join(note for entry in report.entries for note in entry.notes)
