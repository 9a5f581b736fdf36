"""What an apply must not forget when it is killed: creations without a known end, and marks.

One JSON file in the state directory, replaced as a whole, for its owner's eyes only. Without it
nothing breaks: the secret is set once more, and what a killed apply left is only told.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from receiver.subscribing.shapes import EventFilter, Place, UspsSubscription, Wanted
from receiver.whole_file import write_whole
from schemas.errors import OperatorError

FOLDER: Final = "subscriptions"
# USPS's list was seen behind the truth; after so long it is taken for complete.
KEPT: Final = timedelta(days=7)
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


class Intent(BaseModel):
    """A creation that was sent, or is about to be."""

    model_config = ConfigDict(frozen=True)
    name: str
    account: str
    listener_url: str
    mid: str | None
    tracking_number: str | None
    event_types: frozenset[str]
    since: datetime

    @property
    def filter(self) -> EventFilter:
        """For what it is, or was to be."""
        return EventFilter(self.mid, self.tracking_number, self.event_types)


class Made(BaseModel):
    """What USPS was last told of a subscription: the mark of its secret, and its filter."""

    model_config = ConfigDict(frozen=True)
    mark: str
    filter: str | None = Field(default=None, description="Only of what we created.")


class _Pages(BaseModel):
    intents: list[Intent] = Field(default_factory=list)
    made: dict[str, Made] = Field(default_factory=dict)


class Journal:
    """Every change is on disk when its call returns."""

    def __init__(self, state_directory: Path) -> None:
        self._path = state_directory / FOLDER / "journal.json"
        self._pages = self._read()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Only one apply at a time on this machine. Raises `OperatorError`."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_name("lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperatorError(
                    "already_applying", "another `subscriptions apply` is at work; let it end"
                ) from None
            self._pages = self._read()
            yield

    def begin(self, wanted: Wanted, now: datetime) -> Intent:
        """Before the creation is sent."""
        intent = Intent(
            name=wanted.name,
            account=wanted.account,
            listener_url=wanted.listener_url,
            mid=wanted.filter.mid,
            tracking_number=wanted.filter.tracking_number,
            event_types=wanted.filter.event_types,
            since=now,
        )
        recent = [one for one in self._pages.intents if now - one.since < KEPT]
        self._pages.intents = [*recent, intent]
        self._write()
        return intent

    def resolve(self, intent: Intent) -> None:
        """Its end is known: it made nothing, or what it made is in the books."""
        self._pages.intents = [one for one in self._pages.intents if one != intent]
        self._write()

    def unresolved(self, name: str, now: datetime) -> list[Intent]:
        """Creations of this name that may have left something at USPS."""
        return [one for one in self._pages.intents if one.name == name and now - one.since < KEPT]

    def names(self) -> set[str]:
        """Of all creations without a known end."""
        return {one.name for one in self._pages.intents}

    def told(self, place: Place, mark: str, event_filter: str | None = None) -> None:
        """USPS has this secret now. `event_filter`: with what it was created."""
        known = self.made(place)
        if event_filter is None and known is not None:
            event_filter = known.filter
        self._pages.made[_key(place)] = Made(mark=mark, filter=event_filter)
        self._write()

    def made(self, place: Place) -> Made | None:
        """What USPS was told of this one; None: not known here."""
        return self._pages.made.get(_key(place))

    def forget(self, place: Place) -> None:
        """It is no more."""
        if self._pages.made.pop(_key(place), None) is not None:
            self._write()

    def _read(self) -> _Pages:
        try:
            return _Pages.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Pages()
        except (ValidationError, OSError) as error:
            raise OperatorError(
                "journal_unreadable",
                f"{self._path} cannot be read ({type(error).__name__}); correct its rights, or "
                "move it away: then secrets are set once more at USPS",
            ) from None

    def _write(self) -> None:
        write_whole(self._path, orjson.dumps(self._pages.model_dump(mode="json")))


def _key(place: Place) -> str:
    return f"{place.account}/{place.subscription_id}"


def left_by(found: UspsSubscription, account: str, intents: list[Intent]) -> bool:
    """Whether a creation of ours that nobody saw the end of made this one."""
    try:
        created = datetime.fromisoformat(found.created_at or "")
        return any(
            intent.account == account
            and intent.listener_url == found.listener_url
            and intent.filter == found.filter
            and created >= intent.since - _CLOCKS_DIFFER
            for intent in intents
        )
    except (ValueError, TypeError):  # no time, or one without zone: it may be anybody's
        return False
