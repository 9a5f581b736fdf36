"""Looks at USPS for everything that concerns one subscription. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from receiver.subscribing.api import SubscriptionsApi
from receiver.subscribing.books import Books
from receiver.subscribing.journal import Intent, Journal, Made, left_by
from receiver.subscribing.shapes import EventFilter, Place, Tagged, UspsSubscription, Wanted
from schemas.errors import OperatorError

Located = tuple[Place, UspsSubscription]


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is.

    Attributes:
        current: The one that stands for the declaration, if any.
        in_books: The books say so too.
        was_known: The books have one for it, which is no more at USPS.
        leftovers: Ours beside it, still living.
        strangers: Equal ones that we know nothing of.
        unreachable: Ours of an account that is declared no more.
        gone: Ours in the books that are no more at USPS.
        made: What USPS was last told of `current`, as far as is known here.
    """

    current: UspsSubscription | None
    in_books: bool = False
    was_known: bool = False
    leftovers: tuple[Located, ...] = ()
    strangers: tuple[UspsSubscription, ...] = ()
    unreachable: tuple[Place, ...] = ()
    gone: frozenset[Place] = frozenset()
    made: Made | None = None


class Looker:
    """Looks at one subscription after the other. `declared_ids`: by name; None: none declared."""

    def __init__(
        self,
        apis: Mapping[str, SubscriptionsApi],
        books: Books,
        journal: Journal,
        declared_ids: Mapping[str, str | None],
    ) -> None:
        self._apis = apis
        self._books = books
        self._journal = journal
        self._declared_ids = declared_ids
        self._read: dict[Place, Tagged] = {}

    async def look(self, wanted: Wanted, now: datetime) -> Sight:
        """Raises `UspsRefused`, and `OperatorError` for a declared id that is another's."""
        self._read.clear()
        ours, unreachable = self._ours(wanted)
        living = [(place, found) for place in ours if (found := await self._get(place))]
        current = await self._declared(wanted) or _booked(wanted, self._books, living)
        beside = [one for one in living if one != current]
        strangers: list[UspsSubscription] = []
        intents = self._journal.unresolved(wanted.name, now)
        if intents or not self._serves(current, wanted):
            known = {*ours, *([] if current is None else [current[0]])}
            equal, left = await self._unknown_ones(wanted, intents, known)
            beside += left
            strangers = [found for _, found in equal]
            if not self._serves(current, wanted) and (better := _best(wanted, [*equal, *beside])):
                # USPS would take a new one for the same as this: it is used instead.
                beside = [one for one in (current, *beside) if one and one != better]
                strangers = [found for found in strangers if found != better[1]]
                current = better
        gone = {place for place in ours if place not in dict(living)}
        return self._sight(
            wanted,
            current,
            beside=beside,
            strangers=strangers,
            unreachable=unreachable,
            gone=gone,
        )

    def _serves(self, found: Located | None, wanted: Wanted) -> bool:
        """Whether it is for what is wanted, or was made so and is told otherwise by USPS."""
        if found is None:
            return False
        made = self._journal.made(found[0])
        return found[1].filter == wanted.filter or (
            made is not None and made.filter == wanted.filter.text
        )

    def _sight(
        self,
        wanted: Wanted,
        current: Located | None,
        *,
        beside: list[Located],
        strangers: list[UspsSubscription],
        unreachable: list[Place],
        gone: set[Place],
    ) -> Sight:
        entry = self._books.entry(wanted.name)
        return Sight(
            None if current is None else current[1],
            in_books=current is not None and _is_booked(self._books, wanted, *current),
            was_known=entry is not None
            and Place(entry.account or wanted.account, entry.subscription_id) in gone,
            leftovers=tuple(beside),
            strangers=tuple(strangers),
            unreachable=tuple(unreachable),
            gone=frozenset(gone),
            made=None if current is None else self._journal.made(current[0]),
        )

    def owner(self, subscription_id: str, but: str) -> str | None:
        """The other declared name that an id belongs to."""
        for name, declared in self._declared_ids.items():
            ids = {declared, *(one for _, one in self._books.places(name))}
            if name != but and subscription_id in ids:
                return name
        return None

    def _ours(self, wanted: Wanted) -> tuple[list[Place], list[Place]]:
        ours: list[Place] = []
        unreachable: list[Place] = []
        for account, subscription_id in self._books.places(wanted.name):
            if self._was_taken_over(wanted.name, subscription_id):
                continue
            place = Place(account or wanted.account, subscription_id)
            (ours if place.account in self._apis else unreachable).append(place)
        return ours, unreachable

    def _was_taken_over(self, name: str, subscription_id: str) -> bool:
        """Another declared name has it now: a name may go and come back to the registry file."""
        mine = self._books.entry(name)
        for other in self._declared_ids:
            theirs = self._books.entry(other)
            if other == name or mine is None or theirs is None:
                continue
            if theirs.subscription_id == subscription_id and (
                mine.subscription_id != subscription_id or theirs.observed_at > mine.observed_at
            ):
                return True
        return False

    async def _get(self, place: Place) -> UspsSubscription | None:
        tagged = await self._apis[place.account].get(place.subscription_id)
        if tagged is None:
            return None
        self._read[place] = tagged
        return tagged.subscription

    async def tagged(self, place: Place) -> Tagged | None:
        """With an ETag for one change: of the last look, once; then anew."""
        known = self._read.pop(place, None)
        return known or await self._apis[place.account].get(place.subscription_id)

    async def _declared(self, wanted: Wanted) -> Located | None:
        """The one that the registry file names; one that we left behind is no more meant."""
        entry = self._books.entry(wanted.name)
        if wanted.declared_id is None:
            return None
        if entry is not None and wanted.declared_id in {
            entry.subscription_id,
            *(one.subscription_id for one in entry.former),
        }:
            return None
        place = Place(wanted.account, wanted.declared_id)
        found = await self._get(place)
        if found is None:
            return None
        if found.filter.subject != wanted.filter.subject:
            raise OperatorError(
                "id_of_another",
                f"the id that the registry names is at USPS for {found.filter.text}; correct or "
                "remove the id in the registry file",
            )
        return place, found

    async def _unknown_ones(
        self, wanted: Wanted, intents: list[Intent], known: set[Place]
    ) -> tuple[list[Located], list[Located]]:
        """Equal ones that may be anybody's, oldest first, and what creations of ours left.

        Listed, and confirmed one by one: the list alone decides nothing.
        """
        equal, left = {}, {}
        wheres = {(wanted.account, wanted.filter), *((one.account, one.filter) for one in intents)}
        for account, event_filter in wheres:
            for listed in await self._listed(account, event_filter):
                place = Place(account, listed.subscription_id)
                if place in known or self.owner(place.subscription_id, wanted.name):
                    continue
                found = await self._get(place)
                if found is not None and left_by(found, account, intents):
                    left[place] = found
                elif found is not None and _is_equal(place, found, wanted):
                    equal[place] = found
        return _oldest_first(equal), _oldest_first(left)

    async def _listed(self, account: str, event_filter: EventFilter) -> Sequence[UspsSubscription]:
        api = self._apis.get(account)
        return () if api is None else await api.find(event_filter)


def _is_equal(place: Place, found: UspsSubscription, wanted: Wanted) -> bool:
    return (
        place.account == wanted.account
        and found.stands_for(wanted)
        and found.filter == wanted.filter
    )


def _oldest_first(found: Mapping[Place, UspsSubscription]) -> list[Located]:
    return sorted(found.items(), key=lambda one: (one[1].created_at or "", one[0]))


def _best(wanted: Wanted, found: list[Located]) -> Located | None:
    """An equal one, or else one that USPS takes for the same."""
    like = [one for one in found if one[0].account == wanted.account and one[1].stands_for(wanted)]
    equal = [one for one in like if one[1].filter == wanted.filter]
    return next(iter([*equal, *like]), None)


def _is_booked(books: Books, wanted: Wanted, place: Place, found: UspsSubscription) -> bool:
    """With its account, and for what it is at USPS: receivers go by that."""
    entry = books.entry(wanted.name)
    return (
        entry is not None
        and (entry.account, entry.subscription_id) == (place.account, place.subscription_id)
        and (entry.mid, entry.tracking_number) == found.filter.subject
    )


def _booked(wanted: Wanted, books: Books, living: list[Located]) -> Located | None:
    """The one in the books, if it lives, and with the account that is declared now."""
    entry = books.entry(wanted.name)
    for place, found in living:
        if entry is not None and place == Place(wanted.account, entry.subscription_id):
            return place, found
    return None
