"""USPS's Subscriptions API in memory, with its oddities, and everything else that apply uses.

A `Fuse` counts what reaches the outside; it blows before or after any of it, as a kill would.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_URL, uuid5

from pydantic import SecretStr

from receiver.subscribing.api import DuplicateSubscription, TagStale
from receiver.subscribing.shapes import (
    ENABLED,
    Created,
    EventFilter,
    Tagged,
    UspsSubscription,
    Wanted,
    secret_mark,
)
from receiver.usps.errors import UspsUnavailable
from schemas.clock import rfc3339
from tests.receiver.fakes import FakeClock

URL = "https://hooks.acme.example/usps/tracking"
NEW, OLD = "n" * 16 + "0123456789abcdef", "o" * 16 + "0123456789abcdef"


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """Blows at the n-th moment; a moment is before or after anything that reaches the outside."""

    left: int | None = None

    def moment(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Killed


@dataclass
class Oddities:
    """How USPS behaves.

    Attributes:
        duplicates: What a second one gets: `named`, `unnamed`, `repeat` (200), `allowed`.
        list_behind: The list is what it was when this was set.
        stale_tags: So many ETags are used up by somebody else.
        lost_answers: So many creations are carried out and not answered.
        echo: `none`, `plain` or `masked` secrets in answers.
    """

    duplicates: str = "named"
    list_behind: bool = False
    stale_tags: int = 0
    lost_answers: int = 0
    echo: str = "none"


@dataclass
class Stored:
    """A subscription at USPS."""

    shown: UspsSubscription
    secret: str
    tag: int = 0


@dataclass
class MemoryUsps:
    """One account. A `SubscriptionsApi`."""

    name: str
    clock: FakeClock
    fuse: Fuse
    oddities: Oddities
    stored: dict[str, Stored] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    made: int = 0
    _listed: list[UspsSubscription] = field(default_factory=list)

    def fall_behind(self) -> None:
        """From now on the list stays as it is."""
        self._listed = [one.shown for one in self.stored.values()]
        self.oddities.list_behind = True

    def seen(self) -> dict[str, UspsSubscription]:
        return {subscription_id: one.shown for subscription_id, one in self.stored.items()}

    def put_there(self, event_filter: EventFilter, url: str, *, secret: str = OLD) -> str:
        """By somebody else."""
        subscription_id = self._store(event_filter, url, secret)
        self.foreign.add(subscription_id)
        return subscription_id

    def turn(self, subscription_id: str, status: str) -> None:
        """As USPS does when the listener fails, or a person does by hand."""
        one = self.stored[subscription_id]
        one.shown = replace(one.shown, status=status, status_changed_at=rfc3339(self.clock.now()))

    async def create(self, wanted: Wanted) -> Created:
        self._call("POST")
        assert wanted.secret is not None
        secret = wanted.secret.get_secret_value()
        assert len(secret) == 32
        for found in self.stored.values():
            if found.shown.stands_for(wanted) and self.oddities.duplicates != "allowed":
                return self._second(found.shown.subscription_id)
        subscription_id = self._store(wanted.filter, wanted.listener_url, secret)
        self.fuse.moment()
        if self.oddities.lost_answers:
            self.oddities.lost_answers -= 1
            raise UspsUnavailable("timed_out", "USPS did not answer in time")
        return Created(subscription_id, fresh=True)

    def _second(self, subscription_id: str) -> Created:
        if self.oddities.duplicates == "repeat":
            return Created(subscription_id, fresh=False)
        named = subscription_id if self.oddities.duplicates == "named" else None
        raise DuplicateSubscription(named)

    async def get(self, subscription_id: str) -> Tagged | None:
        self._call("GET")
        found = self.stored.get(subscription_id)
        if found is None:
            return None
        echoed = {"plain": secret_mark(found.secret), "masked": secret_mark("*" * 32)}
        shown = replace(found.shown, echoed_mark=echoed.get(self.oddities.echo))
        return Tagged(shown, str(found.tag))

    async def find(self, event_filter: EventFilter) -> Sequence[UspsSubscription]:
        self._call("LIST")
        listed = (
            self._listed
            if self.oddities.list_behind
            else [one.shown for one in self.stored.values()]
        )
        return [one for one in listed if one.filter.subject == event_filter.subject]

    async def replace(self, tagged: Tagged, wanted: Wanted) -> bool:
        self._call("PUT")
        assert wanted.secret is not None
        found = self.stored.get(tagged.subscription.subscription_id)
        if found is None:
            return False
        self._use(found, tagged)
        assert found.shown.filter == wanted.filter or found.shown.stands_for(wanted)
        found.secret = wanted.secret.get_secret_value()
        found.shown = replace(found.shown, listener_url=wanted.listener_url, status=ENABLED)
        self.fuse.moment()
        return True

    async def delete(self, tagged: Tagged) -> None:
        self._call("DELETE")
        subscription_id = tagged.subscription.subscription_id
        found = self.stored.get(subscription_id)
        if found is None:
            return
        self._use(found, tagged)
        assert subscription_id not in self.foreign, "deleted what is not ours"
        del self.stored[subscription_id]
        self.fuse.moment()

    def _call(self, what: str) -> None:
        self.fuse.moment()
        self.calls.append(what)

    def _use(self, found: Stored, tagged: Tagged) -> None:
        if self.oddities.stale_tags:
            self.oddities.stale_tags -= 1
            found.tag += 1
        if tagged.etag != str(found.tag):
            raise TagStale("precondition_failed")
        found.tag += 1

    def _store(self, event_filter: EventFilter, url: str, secret: str) -> str:
        self.made += 1
        subscription_id = str(uuid5(NAMESPACE_URL, f"{self.name}-{self.made}"))
        created = rfc3339(self.clock.now())
        shown = UspsSubscription(subscription_id, url, ENABLED, event_filter, created_at=created)
        self.stored[subscription_id] = Stored(shown, secret)
        return subscription_id


def wanted(name: str = "acme", **changes: object) -> Wanted:
    """A declared subscription."""
    event_filter = EventFilter("912345678", None, frozenset({"ALL_UPDATES"}))
    base = Wanted(name, "main", URL, event_filter, ("a@acme.example",), secret=SecretStr(NEW))
    return replace(base, **changes)  # type: ignore[arg-type]
