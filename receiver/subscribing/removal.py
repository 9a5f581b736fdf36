"""Subscriptions that are declared no more: told, and deleted at USPS only when asked to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from receiver.subscribing.api import SubscriptionsApi
from receiver.subscribing.books import Books
from receiver.subscribing.carry_out import end
from receiver.subscribing.journal import Journal, left_by
from receiver.subscribing.shapes import Place, UspsSubscription
from schemas.clock import Clock


@dataclass(frozen=True, slots=True)
class Removed:
    """A name that only the books have. `unclear`: ids of accounts that are declared no more."""

    name: str
    living: Mapping[Place, UspsSubscription] = field(default_factory=dict)
    unclear: tuple[str, ...] = ()


class Removal:
    """What of removed names lives at USPS, and its end. `declared_ids`: by kept name."""

    def __init__(
        self,
        declared_ids: Mapping[str, str | None],
        *,
        apis: Mapping[str, SubscriptionsApi],
        books: Books,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._declared_ids = declared_ids
        self._apis = apis
        self._books = books
        self._journal = journal
        self._clock = clock

    def names(self) -> list[str]:
        """In the books, or of a creation without a known end, and not declared."""
        return sorted({*self._books.names(), *self._journal.names()} - self._declared_ids.keys())

    async def look(self, name: str) -> Removed:
        """What another name has taken over is that one's. Raises `UspsRefused`."""
        kept = {one for other in self._declared_ids for _, one in self._books.places(other)}
        kept |= {one for one in self._declared_ids.values() if one is not None}
        living: dict[Place, UspsSubscription] = {}
        unclear: list[str] = []
        for account, subscription_id in self._books.places(name):
            if subscription_id in kept:
                continue
            if account is None or account not in self._apis:
                unclear.append(subscription_id)
                continue
            place = Place(account, subscription_id)
            tagged = await self._apis[account].get(subscription_id)
            if tagged is not None:
                living[place] = tagged.subscription
        left = await self._left(name, self._clock.now())
        living |= {place: one for place, one in left.items() if place.subscription_id not in kept}
        return Removed(name, living, tuple(unclear))

    async def _left(self, name: str, now: datetime) -> dict[Place, UspsSubscription]:
        intents = self._journal.unresolved(name, now)
        found = {}
        for account, event_filter in {(one.account, one.filter) for one in intents}:
            if account not in self._apis:
                continue
            for listed in await self._apis[account].find(event_filter):
                tagged = await self._apis[account].get(listed.subscription_id)
                if tagged is not None and left_by(tagged.subscription, account, intents):
                    found[Place(account, listed.subscription_id)] = tagged.subscription
        return found

    async def delete(self, removed: Removed) -> None:
        """Ends each at USPS, then forgets the name; it is kept while anything is unclear."""
        for place in removed.living:
            api = self._apis[place.account]
            await end(api, place, await api.get(place.subscription_id))
            self._journal.forget(place)
            await self._books.ended(removed.name, place.subscription_id, self._clock.now())
        if not removed.unclear and self._books.entry(removed.name) is not None:
            await self._books.forget(removed.name)
