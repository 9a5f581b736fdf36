"""What clients do with their subscriptions: create, read, list, change, delete."""

from collections.abc import Collection
from dataclasses import replace
from random import Random
from typing import Final
from uuid import UUID

from receiver.simulator.apis.bodies import Filter, NewSubscription
from receiver.simulator.apis.etags import Etags
from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.refusals import (
    SUBSCRIPTIONS,
    ApiRefusal,
    bad_request,
    forbidden,
    not_found,
)
from receiver.simulator.apis.shelf import Shelf
from receiver.simulator.apis.subscription import Status, UspsSubscription
from schemas.clock import Clock
from schemas.registry.entities import EventType

# Per customer, as integrators were told.
MOST_LISTENER_URLS: Final = 10
_UNAUTHORISED: Final = frozenset(
    {ApiOddity.UNAUTHORISED_MIDS_403, ApiOddity.UNAUTHORISED_NUMBERS_207}
)


class SubscriptionBook:
    """Every client sees its own; whatever is refused raises `ApiRefusal`.

    Args:
        mids: Those that clients are authorised for.
    """

    def __init__(
        self,
        shelf: Shelf,
        mids: Collection[str],
        oddities: frozenset[ApiOddity],
        choose: Random,
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self._mids = mids
        self._oddities = oddities
        self._choose = choose
        self._clock = clock
        self._etags = Etags(oddities, choose, clock)

    def create(self, client_id: str, asked: NewSubscription) -> UspsSubscription:
        """A new one: 403 for a foreign MID, 400 for an eleventh URL or, perhaps, a double."""
        self._check_mid(asked.filter)
        self._check_url(client_id, asked.listener_url)
        self._check_double(client_id, asked)
        now = self._clock.now()
        subscription_id = str(UUID(int=self._choose.getrandbits(128), version=4))
        created = UspsSubscription(
            subscription_id=subscription_id,
            client_id=client_id,
            name=subscription_id,
            listener_url=asked.listener_url,
            secret=asked.secret,
            emails=_emails(asked),
            shipper=asked.filter.shipper,
            event_types=_event_types(asked.filter),
            created_at=now,
            changed_at=now,
            status=Status(asked.status),
        )
        self._shelf.put(created)
        return created

    def get(self, client_id: str, subscription_id: str) -> UspsSubscription:
        """One of the client's own: 404 for any other."""
        found = self._shelf.known.get(subscription_id)
        if found is None or found.client_id != client_id:
            raise not_found("there is no such subscription")
        return found

    def listed(
        self, client_id: str, mids: Collection[str], numbers: Collection[str]
    ) -> list[UspsSubscription]:
        """The client's own, of these MIDs or numbers if any are named."""
        if ApiOddity.LIST_NEEDS_MID in self._oddities and not mids:
            raise bad_request("OASValidation: MID is required", "MID")
        stale = ApiOddity.STALE_LIST in self._oddities
        known = self._shelf.listed if stale else self._shelf.known
        found = [
            one
            for one in known.values()
            if one.client_id == client_id and _is_asked_for(one, mids, numbers)
        ]
        if ApiOddity.LIST_NEEDS_MID in self._oddities and not found:
            raise not_found("there is no subscription for this MID")
        return found

    def change(
        self, client_id: str, subscription_id: str, if_match: str | None, asked: NewSubscription
    ) -> UspsSubscription:
        """Another URL, secret or status; 400 for another filter, 412 for an old ETag."""
        before = self.get(client_id, subscription_id)
        self._etags.check(subscription_id, if_match)
        if not _same_filter(before, asked.filter):
            raise bad_request("Simulated: filters cannot be changed", "filterProperties")
        if asked.listener_url != before.listener_url:
            self._check_url(client_id, asked.listener_url, apart_from=subscription_id)
        status = Status(asked.status)
        after = replace(
            before,
            listener_url=asked.listener_url,
            secret=asked.secret,
            emails=_emails(asked),
            status=status,
            declared=False,
            changed_at=before.changed_at if status is before.status else self._clock.now(),
        )
        self._etags.forget(subscription_id)
        self._shelf.put(after)
        return after

    def delete(self, client_id: str, subscription_id: str, if_match: str | None) -> None:
        """404 for one that is not there, 412 for an old ETag."""
        self.get(client_id, subscription_id)
        self._etags.check(subscription_id, if_match)
        self._etags.forget(subscription_id)
        self._shelf.remove(subscription_id)

    def etag(self, subscription_id: str) -> str:
        """A fresh one for its present state."""
        return self._etags.give(subscription_id)

    def _check_mid(self, asked: Filter) -> None:
        if asked.mid is not None and asked.mid not in self._mids and self._oddities & _UNAUTHORISED:
            raise forbidden(SUBSCRIPTIONS)

    def _check_url(self, client_id: str, url: str, apart_from: str | None = None) -> None:
        urls = {
            one.listener_url
            for one in self._shelf.known.values()
            if one.client_id == client_id and one.subscription_id != apart_from
        }
        if url not in urls and len(urls) >= MOST_LISTENER_URLS:
            raise bad_request(
                f"Simulated: at most {MOST_LISTENER_URLS} listener URLs", "listenerURL"
            )

    def _check_double(self, client_id: str, asked: NewSubscription) -> None:
        if ApiOddity.DUPLICATE_400 not in self._oddities:
            return
        for one in self._shelf.known.values():
            if (
                one.client_id == client_id
                and one.listener_url == asked.listener_url
                and one.shipper == asked.filter.shipper
            ):
                raise _double(one.subscription_id)


def _double(subscription_id: str) -> ApiRefusal:
    return bad_request(
        "Simulated: a subscription with this listenerURL and filter exists: "
        f"subscriptionId {subscription_id}"
    )


def _emails(asked: NewSubscription) -> tuple[str, ...]:
    return tuple(one.email for one in asked.admin)


def _event_types(asked: Filter) -> tuple[EventType, ...]:
    return tuple(EventType(one) for one in asked.event_types)


def _same_filter(one: UspsSubscription, asked: Filter) -> bool:
    return one.shipper == asked.shipper and set(one.event_types) == set(_event_types(asked))


def _is_asked_for(one: UspsSubscription, mids: Collection[str], numbers: Collection[str]) -> bool:
    if not mids and not numbers:
        return True
    return one.shipper.mid in mids or one.shipper.tracking_number in numbers
