"""`subscriptions list`: what lives at USPS, ours and what USPS lists beside it."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from receiver.subscribing.reconcile import Ground
from receiver.subscribing.shapes import EventFilter, Place, UspsSubscription
from receiver.subscribing.targets import Targets
from receiver.usps.errors import UspsRefused


@dataclass(frozen=True, slots=True)
class Row:
    """One id. `name` None: nobody here knows it; `found` None: it is not there (any more)."""

    name: str | None
    place: Place
    declared: bool
    found: UspsSubscription | None
    trouble: str = ""

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        found = self.found
        return {
            "name": self.name,
            "account": self.place.account,
            "subscription_id": self.place.subscription_id,
            "declared": self.declared,
            "status": self._status(),
            "status_reason": None if found is None else found.status_reason,
            "mid": None if found is None else found.filter.mid,
            "tracking_number": None if found is None else found.filter.tracking_number,
            "event_types": [] if found is None else sorted(found.filter.event_types),
            "listener_url": None if found is None else found.listener_url,
            "created_at": None if found is None else found.created_at,
            "expires_at": None if found is None else found.expires_at,
            "problem": self.trouble or None,
        }

    def line(self) -> str:
        """For a person to read."""
        name = self.name or "(not ours)"
        declared = "" if self.declared or self.name is None else "  declared no more"
        where = f"{name}  {self.place.account}  {self.place.subscription_id}  {self._status()}"
        if self.found is None:
            return f"{where}{declared}"
        reason = f" ({self.found.status_reason})" if self.found.status_reason else ""
        return f"{where}{reason}  {self.found.filter.text}  {self.found.listener_url}{declared}"

    def _status(self) -> str:
        if self.trouble:
            return "not known"
        return "not at USPS" if self.found is None else self.found.status


async def rows(targets: Targets, ground: Ground) -> list[Row]:
    """Every id of the books and the registry file, then what USPS lists for the same MIDs."""
    found = [row async for row in _ours(targets, ground)]
    known = {row.place for row in found}
    return [*found, *[row async for row in _others(targets, ground, known)]]


async def _ours(targets: Targets, ground: Ground) -> AsyncIterator[Row]:
    for name in dict.fromkeys([*targets.declared_ids, *ground.books.names()]):
        ground.tell(name)
        for place in _places(name, targets, ground):
            declared = name in targets.declared_ids
            api = ground.apis.get(place.account)
            if api is None:
                trouble = ground.no_api.get(place.account, "its account is not declared")
                yield Row(name, place, declared, None, trouble)
                continue
            try:
                tagged = await api.get(place.subscription_id)
            except UspsRefused as error:
                yield Row(name, place, declared, None, error.detail)
            else:
                yield Row(name, place, declared, None if tagged is None else tagged.subscription)


def _places(name: str, targets: Targets, ground: Ground) -> Iterable[Place]:
    wanted = targets.wanted.get(name)
    default = "?" if wanted is None else wanted.account
    places = [Place(account or default, one) for account, one in ground.books.places(name)]
    if wanted is not None and wanted.declared_id is not None:
        places.append(Place(wanted.account, wanted.declared_id))
    return dict.fromkeys(places)


async def _others(targets: Targets, ground: Ground, known: set[Place]) -> AsyncIterator[Row]:
    """The list may be hours behind, so that each is looked at by its id."""
    asked: set[tuple[str, EventFilter]] = set()
    for wanted in targets.wanted.values():
        subject = EventFilter(*wanted.filter.subject, frozenset())
        api = ground.apis.get(wanted.account)
        if api is None or (wanted.account, subject) in asked:
            continue
        asked.add((wanted.account, subject))
        try:
            for listed in await api.find(subject):
                place = Place(wanted.account, listed.subscription_id)
                if place in known:
                    continue
                known.add(place)
                tagged = await api.get(place.subscription_id)
                if tagged is not None:
                    yield Row(None, place, False, tagged.subscription)
        except UspsRefused as error:
            yield Row(None, Place(wanted.account, "?"), False, None, error.detail)
