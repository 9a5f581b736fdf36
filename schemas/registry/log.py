"""Folds the records of `usps.registry.v1` and `usps.observed.v1` into a `Registry`.

An apply writes its entities and then a revision marker, in one transaction; changes are
held back until the marker, so that programs go from revision to revision, never between.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import orjson
from pydantic import ValidationError

from schemas.errors import RecordRejected
from schemas.event import Model
from schemas.registry.entities import Entity
from schemas.registry.index import Registry, parse_entity
from schemas.registry.observed import ObservedKind, ObservedSubscription, ObservedToken

REVISION_KEY: Final = "revision/current"


class RevisionMarker(Model):
    """The last record of an apply."""

    revision: int
    applied_at: str
    applied_by: str


class Observations:
    """What programs saw: by kind, then by id. Values are the records' JSON objects."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, dict[str, Any]]] = {
            kind.value: {} for kind in ObservedKind
        }

    def apply(self, key: str, value: bytes | None) -> None:
        """Takes one record; a tombstone forgets. Raises `RecordRejected`."""
        kind, _, observed_id = key.partition("/")
        values = self._values.setdefault(kind, {})
        if value is None:
            values.pop(observed_id, None)
            return
        values[observed_id] = _json_object(key, value)

    def get(self, kind: ObservedKind, observed_id: str) -> dict[str, Any] | None:
        """One observation, or None."""
        return self._values[kind.value].get(observed_id)

    def subscription_id(self, name: str) -> str | None:
        """The id that USPS gave the subscription of this name."""
        found = self.get(ObservedKind.SUBSCRIPTION, name)
        return None if found is None else found.get("subscription_id")

    def subscriptions(self) -> dict[str, ObservedSubscription]:
        """What is known of ids at USPS, by our names; what cannot be read is left out."""
        known = {}
        for name, value in self._values[ObservedKind.SUBSCRIPTION.value].items():
            with suppress(ValidationError):
                known[name] = ObservedSubscription.model_validate(value)
        return known


class RegistryLog:
    """The state of both topics at the positions read so far."""

    def __init__(self, on_revision: Callable[[], None] | None = None) -> None:
        self.registry = Registry()
        self.observed = Observations()
        self.marker: RevisionMarker | None = None
        self._pending: dict[str, Entity | None] = {}
        self._on_revision = on_revision or (lambda: None)

    def apply(self, key: str, value: bytes | None) -> None:
        """Takes one record of the registry topic. Raises `RecordRejected`."""
        if key == REVISION_KEY:
            self._switch(RevisionMarker.model_validate(_json_object(key, value or b"null")))
            return
        kind = key.partition("/")[0]
        if value is None:
            self._pending[key] = None
            return
        try:
            self._pending[key] = parse_entity(kind, _json_object(key, value))
        except ValidationError as error:
            # Pydantic's text repeats the value, and a value may be a secret put by mistake.
            fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
            raise RecordRejected("registry_record_unreadable", f"{key}: {fields}") from None

    def apply_observed(self, key: str, value: bytes | None) -> None:
        """Takes one record of the observed topic. Raises `RecordRejected`."""
        self.observed.apply(key, value)
        kind, _, token_id = key.partition("/")
        if kind == ObservedKind.TOKEN:
            self.registry.observe_token(token_id, _observed_token(key, value))
        self._on_revision()

    def _switch(self, marker: RevisionMarker) -> None:
        for key, entity in self._pending.items():
            kind, _, entity_id = key.partition("/")
            if entity is None:
                self.registry.remove(kind, entity_id)
            else:
                self.registry.put(entity)
        self._pending.clear()
        self.registry.revision = marker.revision
        self.marker = marker
        self._on_revision()


def _observed_token(key: str, value: bytes | None) -> ObservedToken | None:
    if value is None:
        return None
    try:
        return ObservedToken.model_validate(_json_object(key, value))
    except ValidationError:
        raise RecordRejected("registry_record_unreadable", f"{key}: no token") from None


def _json_object(key: str, value: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise RecordRejected("registry_record_unreadable", f"{key}: not a JSON object")
    return parsed
