"""Plan and apply over all subscriptions: one that cannot be done does not stop the others."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from receiver.subscribing.api import SubscriptionsApi
from receiver.subscribing.books import Books, BooksNotWritten
from receiver.subscribing.carry_out import CarryOut, Done
from receiver.subscribing.decide import Delete, decide
from receiver.subscribing.journal import Journal
from receiver.subscribing.removal import Removal, Removed
from receiver.subscribing.report import Entry, Report
from receiver.subscribing.shapes import Wanted
from receiver.subscribing.sight import Looker
from receiver.subscribing.targets import Targets
from receiver.usps.errors import UspsUnavailable
from schemas.clock import Clock
from schemas.errors import ScanwireError

# In tries; each has its own retries already.
_PATIENCE: Final = 2


@dataclass(frozen=True)
class Ground:
    """Everything that plan and apply stand on. `no_api`: why an account cannot be used.

    `tell`: is called with each name before it is looked at.
    """

    apis: Mapping[str, SubscriptionsApi]
    no_api: Mapping[str, str]
    books: Books
    journal: Journal
    clock: Clock
    tell: Callable[[str], None] = lambda _: None

    def looker(self, targets: Targets) -> Looker:
        """For one run."""
        return Looker(self.apis, self.books, self.journal, targets.declared_ids)

    def removal(self, targets: Targets) -> Removal:
        """For one run."""
        return Removal(
            targets.declared_ids,
            apis=self.apis,
            books=self.books,
            journal=self.journal,
            clock=self.clock,
        )


async def plan(
    targets: Targets, ground: Ground, *, delete: bool, reference: Callable[[str], str]
) -> Report:
    """What apply would do. `reference`: of a name's newest secret."""
    looker, removal = ground.looker(targets), ground.removal(targets)
    now = ground.clock.now

    async def planned(wanted: Wanted) -> Entry:
        decision = decide(wanted, await looker.look(wanted, now()))
        secret = reference(wanted.name) if wanted.secret is None else None
        return Entry(wanted.name, decision.steps, decision.notes, secret_to_make=secret)

    async def removed(name: str) -> Entry:
        return _told(await removal.look(name), delete=delete)

    return await _each(targets, ground, removal.names, planned, removed)


async def apply(targets: Targets, ground: Ground, *, delete: bool) -> Report:
    """Does it. Once the broker does not take the books' entries nothing more is begun."""
    looker, removal = ground.looker(targets), ground.removal(targets)
    carry_out = CarryOut(ground.apis, ground.books, ground.journal, looker, ground.clock)

    async def applied(wanted: Wanted) -> Entry:
        done = Done()
        try:
            await carry_out.apply(wanted, done)
        except ScanwireError as error:
            return Entry(wanted.name, done.steps, done.notes, error.detail, cause=error)
        return Entry(wanted.name, done.steps, done.notes)

    async def removed(name: str) -> Entry:
        found = await removal.look(name)
        if delete:
            await removal.delete(found)
        return _told(found, delete=delete)

    return await _each(targets, ground, removal.names, applied, removed)


async def _each(
    targets: Targets,
    ground: Ground,
    removed_names: Callable[[], list[str]],
    one: Callable[[Wanted], Awaitable[Entry]],
    removed: Callable[[str], Awaitable[Entry]],
) -> Report:
    """What stands in the way of all is not met again for each."""
    entries = [Entry(name, problem=problem) for name, problem in targets.problems.items()]
    patience = _Patience(ground.tell)
    for wanted in targets.wanted.values():
        if wanted.account in ground.no_api:
            entries.append(Entry(wanted.name, problem=ground.no_api[wanted.account]))
        else:
            entries.append(await patience.entry(wanted.name, partial(one, wanted)))
    gone = [await patience.entry(name, partial(removed, name)) for name in removed_names()]
    return Report([*entries, *gone], targets.unmanaged)


class _Patience:
    """Ends when USPS did not answer twice in a row, or the broker not once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._left = _PATIENCE

    async def entry(self, name: str, work: Callable[[], Awaitable[Entry]]) -> Entry:
        """What came of it, also when it failed."""
        if self._left <= 0:
            return Entry(name, problem="not begun, after what went before; run it again later")
        self._tell(name)
        try:
            entry = await work()
        except ScanwireError as error:
            entry = Entry(name, problem=error.detail, cause=error)
        if isinstance(entry.cause, BooksNotWritten):
            self._left = 0
        elif isinstance(entry.cause, UspsUnavailable):
            self._left -= 1
        else:
            self._left = _PATIENCE
        return entry


def _told(removed: Removed, *, delete: bool) -> Entry:
    notes = [
        f"{one}: its account is not declared any more; declare it until that one is deleted"
        for one in removed.unclear
    ]
    if delete:
        steps = [
            Delete(place, one, "declared no more; ours") for place, one in removed.living.items()
        ]
        return Entry(removed.name, steps, notes)
    notes += [
        f"declared no more, and {place.subscription_id} is {one.status} at USPS; "
        "`subscriptions apply --delete` ends it"
        for place, one in removed.living.items()
    ]
    return Entry(removed.name, (), notes)
