"""Does the steps, so that whatever is interrupted is found and finished by the next apply.

A creation: 1. the journal says that it is about to be sent. 2. POST. 3. The books have the id,
and receivers obey it. 4. The journal's entry ends. What goes is deleted last, and only if the
books say that it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from receiver.subscribing.api import DuplicateSubscription, SubscriptionsApi, TagStale
from receiver.subscribing.books import Books
from receiver.subscribing.decide import Adopt, Create, Delete, Step, Update, decide
from receiver.subscribing.journal import Journal
from receiver.subscribing.shapes import Place, Tagged, Wanted
from receiver.subscribing.sight import Looker
from receiver.usps.errors import UspsRefused, UspsUnavailable
from schemas.clock import Clock
from schemas.errors import OperatorError

log = structlog.get_logger(__name__)
# Adopted after a duplicate, out of the way, created, and one more for a surprise.
_ROUNDS: Final = 5
_TRIES: Final = 2


@dataclass
class Done:
    """What was carried out for one name, and what is left to be known."""

    steps: list[Step] = field(default_factory=list)
    notes: tuple[str, ...] = ()


class CarryOut:
    """Makes USPS's side as it is wanted, one name after the other."""

    def __init__(
        self,
        apis: Mapping[str, SubscriptionsApi],
        books: Books,
        journal: Journal,
        looker: Looker,
        clock: Clock,
    ) -> None:
        self._apis = apis
        self._books = books
        self._journal = journal
        self._looker = looker
        self._clock = clock

    async def apply(self, wanted: Wanted, done: Done) -> None:
        """Writes what it did into `done`, also when it raises `UspsRefused`, `OperatorError`."""
        for _ in range(_ROUNDS):
            sight = await self._looker.look(wanted, self._clock.now())
            decision = decide(wanted, sight)
            # What a round before did, and USPS does not show, is not done again and again.
            steps = [step for step in decision.steps if step not in done.steps]
            done.notes = tuple(dict.fromkeys([*done.notes, *decision.notes]))
            settled = await self._all(wanted, steps, done)
            for place in sight.gone:
                await self._books.ended(wanted.name, place.subscription_id, self._clock.now())
            if settled:
                return
        raise OperatorError(
            "not_settled", "USPS shows it another way each time; run `subscriptions apply` later"
        )

    async def _all(self, wanted: Wanted, steps: list[Step], done: Done) -> bool:
        """False: something was not as it was seen; look again."""
        for step in steps:
            if not await self._one(wanted, step):
                return False
            done.steps.append(step)
            log.info("subscription_changed", subscription=wanted.name, step=type(step).__name__)
        return True

    async def _one(self, wanted: Wanted, step: Step) -> bool:
        match step:
            case Create():
                return await self._create(wanted, step)
            case Adopt():
                now = self._clock.now()
                await self._books.adopt(wanted.name, step.place, step.subscription.filter, now)
                return True
            case Update():
                return await self._update(wanted, step.place)
            case Delete():
                await self._books.note_extra(
                    wanted.name, step.place, step.subscription.filter, self._clock.now()
                )
                await self._end(wanted.name, step.place)
                return True

    async def _create(self, wanted: Wanted, step: Create) -> bool:
        assert wanted.mark is not None
        intent = self._journal.begin(wanted, self._clock.now())
        try:
            made = await self._apis[wanted.account].create(wanted)
        except DuplicateSubscription as error:
            self._journal.resolve(intent)
            return await self._meet(wanted, step, error.subscription_id, error.detail)
        except UspsUnavailable:
            raise  # it may have been created: the journal keeps it
        except UspsRefused:
            self._journal.resolve(intent)
            raise
        if not made.fresh:
            # USPS answers with what is there, which may be of another secret, status or filter.
            self._journal.resolve(intent)
            return await self._meet(wanted, step, made.subscription_id, "USPS answered with it")
        place = Place(wanted.account, made.subscription_id)
        await self._books.adopt(wanted.name, place, wanted.filter, self._clock.now())
        self._journal.told(place, wanted.mark, wanted.filter.text)
        self._journal.resolve(intent)
        return True

    async def _meet(
        self, wanted: Wanted, step: Create, subscription_id: str | None, told: str
    ) -> bool:
        """There is one like it: it is made way for, or taken for ours, or left alone."""
        old = step.replaces
        if subscription_id is None and old is not None and old.stands_for(wanted):
            subscription_id = old.subscription_id
        if subscription_id is None:
            raise OperatorError(
                "duplicate_unnamed",
                "USPS has one for this listener and filter, does not name it, and does not list "
                f"it yet; try again later, or name its id in the registry file ({told})",
            )
        place = Place(wanted.account, subscription_id)
        if old is not None and old.subscription_id == subscription_id:
            await self._end(wanted.name, place)
            return False
        other = self._looker.owner(subscription_id, wanted.name)
        if other is not None:
            raise OperatorError(
                "duplicate_of_another",
                f"USPS takes it for the same as {subscription_id}, which is subscription {other}; "
                "put the event types of both into one",
            )
        found = await self._apis[wanted.account].get(subscription_id)
        if found is None or not found.subscription.stands_for(wanted):
            raise OperatorError(
                "duplicate_unclear",
                f"USPS did not create it and names {subscription_id}, which is gone or for "
                f"something else; correct what it says or try again later ({told})",
            )
        now = self._clock.now()
        await self._books.adopt(wanted.name, place, found.subscription.filter, now)
        return False

    async def _update(self, wanted: Wanted, place: Place) -> bool:
        assert wanted.mark is not None
        api = self._apis[place.account]
        for _ in range(_TRIES):
            tagged = await self._looker.tagged(place)
            if tagged is None:
                return False
            try:
                if not await api.replace(tagged, wanted):
                    return False
            except TagStale:
                continue
            self._journal.told(place, wanted.mark)
            return True
        raise _changed_meanwhile(place)

    async def _end(self, name: str, place: Place) -> None:
        await end(self._apis[place.account], place, await self._looker.tagged(place))
        await self._books.ended(name, place.subscription_id, self._clock.now())
        self._journal.forget(place)


async def end(api: SubscriptionsApi, place: Place, tagged: Tagged | None) -> None:
    """DELETE as it was read; well also when it is gone. Raises `UspsRefused`, `OperatorError`."""
    for _ in range(_TRIES):
        if tagged is None:
            return
        try:
            await api.delete(tagged)
        except TagStale:
            tagged = await api.get(place.subscription_id)
        else:
            return
    raise _changed_meanwhile(place)


def _changed_meanwhile(place: Place) -> OperatorError:
    return OperatorError(
        "changed_meanwhile",
        f"{place.subscription_id} was changed by somebody else meanwhile; run it again",
    )
