"""What is known of our subscriptions at USPS by name, kept on `usps.observed.v1`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Protocol

from receiver.subscribing.shapes import EventFilter, Place
from schemas.clock import rfc3339
from schemas.errors import OperatorError
from schemas.registry.observed import FormerSubscription, ObservedSubscription

# Whose callbacks may still be on their way; those that may live at USPS are all kept.
_ENDED_KEPT: Final = 5


class BooksNotWritten(OperatorError):
    """The broker did not take it: nothing more may be begun at USPS."""


class ObservedTopic(Protocol):
    """Where the books are written; what is written is obeyed by running receivers."""

    async def write(self, name: str, seen: ObservedSubscription | None, /) -> None:
        """Returns when it is durable. None: the name is forgotten. Raises `BooksNotWritten`."""


class Books:
    """The entries by name; each change is durable before it is seen here."""

    def __init__(self, entries: Mapping[str, ObservedSubscription], topic: ObservedTopic) -> None:
        self._entries = dict(entries)
        self._topic = topic

    def names(self) -> list[str]:
        """Every name that ever got an id."""
        return sorted(self._entries)

    def entry(self, name: str) -> ObservedSubscription | None:
        """What is known of one."""
        return self._entries.get(name)

    def places(self, name: str) -> Iterator[tuple[str | None, str]]:
        """Account and id of all of its subscriptions that may live at USPS; they are ours."""
        entry = self._entries.get(name)
        if entry is None:
            return
        yield entry.account, entry.subscription_id
        for former in entry.former:
            if former.ended_at is None:
                yield former.account, former.subscription_id

    async def adopt(self, name: str, place: Place, event_filter: EventFilter, at: datetime) -> None:
        """From now on the name has this id; the one before is kept, since it may live."""
        entry = self._entries.get(name)
        former = [] if entry is None else list(entry.former)
        if entry is not None:
            former.insert(0, _left(entry))
        former = [one for one in former if one.subscription_id != place.subscription_id]
        await self._write(
            name,
            ObservedSubscription(
                subscription_id=place.subscription_id,
                observed_at=rfc3339(at),
                account=place.account,
                mid=event_filter.mid,
                tracking_number=event_filter.tracking_number,
                former=_bounded(former),
            ),
        )

    async def note_extra(
        self, name: str, place: Place, event_filter: EventFilter, at: datetime
    ) -> None:
        """Before a second one of ours is deleted: its callbacks are taken, and it is not lost."""
        entry = self._entries[name]
        if place.subscription_id in {entry.subscription_id, *_ids(entry)}:
            return
        extra = FormerSubscription(
            subscription_id=place.subscription_id,
            account=place.account,
            mid=event_filter.mid,
            tracking_number=event_filter.tracking_number,
        )
        update = {"former": [extra, *entry.former], "observed_at": rfc3339(at)}
        await self._write(name, entry.model_copy(update=update))

    async def ended(self, name: str, subscription_id: str, at: datetime) -> None:
        """One of its former ids is no more at USPS."""
        entry = self._entries.get(name)
        ended = (
            [one for one in entry.former if one.subscription_id == subscription_id] if entry else []
        )
        if entry is None or not any(one.ended_at is None for one in ended):
            return
        former = [
            one.model_copy(update={"ended_at": rfc3339(at)})
            if one.subscription_id == subscription_id
            else one
            for one in entry.former
        ]
        await self._write(name, entry.model_copy(update={"former": _bounded(former)}))

    async def forget(self, name: str) -> None:
        """Nothing of it is at USPS any more, and it is not declared."""
        await self._write(name, None)

    async def _write(self, name: str, entry: ObservedSubscription | None) -> None:
        await self._topic.write(name, entry)
        if entry is None:
            self._entries.pop(name, None)
        else:
            self._entries[name] = entry


def _ids(entry: ObservedSubscription) -> set[str]:
    return {one.subscription_id for one in entry.former}


def _left(entry: ObservedSubscription) -> FormerSubscription:
    return FormerSubscription(
        subscription_id=entry.subscription_id,
        account=entry.account,
        mid=entry.mid,
        tracking_number=entry.tracking_number,
    )


def _bounded(former: list[FormerSubscription]) -> list[FormerSubscription]:
    ended = [one for one in former if one.ended_at is not None][:_ENDED_KEPT]
    return [one for one in former if one.ended_at is None or one in ended]
