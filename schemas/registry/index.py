"""The registry as programs look things up in it, kept current entity by entity.

One `Registry` per process, changed only by `schemas.registry.log.RegistryLog` and only
between two awaits: who reads it within one synchronous step sees one revision.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from schemas.errors import RecordRejected
from schemas.registry.destinations import Destination, parse_destination
from schemas.registry.entities import (
    Entity,
    Grant,
    Merchant,
    MerchantAccessToken,
    MidOwnership,
    Subscription,
    TokenState,
    UspsAccount,
)
from schemas.registry.observed import ObservedToken

_MODELS: dict[str, type[Entity]] = {
    model.entity_kind: model
    for model in (UspsAccount, Merchant, MidOwnership, MerchantAccessToken, Grant, Subscription)
}
ENTITY_KINDS: tuple[str, ...] = (*_MODELS, "destination")


def parse_entity(kind: str, value: Any) -> Entity:  # noqa: ANN401 -- what a record holds
    """An entity of this kind. Raises `pydantic.ValidationError`, or `RecordRejected` (kind)."""
    if kind == "destination":
        return parse_destination(value)
    model = _MODELS.get(kind)
    if model is None:
        raise RecordRejected("unknown_entity_kind", f"there is no registry entity {kind!r}")
    return model.model_validate(value)


class Registry:
    """Entities by kind and id, and what authorize, receiver and sinks look up by."""

    def __init__(self, entities: Iterable[Entity] = (), revision: int = 0) -> None:
        self.revision = revision
        self._entities: dict[str, dict[str, Entity]] = {kind: {} for kind in ENTITY_KINDS}
        self._rows_by_mid: dict[str, dict[str, MidOwnership]] = {}
        self._grants_by_mid: dict[str, dict[str, Grant]] = {}
        self._grants_by_number: dict[str, dict[str, Grant]] = {}
        self._tokens_by_parties: dict[str, dict[str, MerchantAccessToken]] = {}
        self._observed_tokens: dict[str, ObservedToken] = {}
        for entity in entities:
            self.put(entity)

    def put(self, entity: Entity) -> None:
        """Adds or replaces one entity."""
        self.remove(entity.entity_kind, entity.entity_id)
        self._entities[entity.entity_kind][entity.entity_id] = entity
        index, key = self._index_of(entity)
        if index is not None:
            index.setdefault(key, {})[entity.entity_id] = entity

    def remove(self, kind: str, entity_id: str) -> None:
        """Removes one entity, if it is there; one of a newer version's kind never was."""
        entity = self._entities.get(kind, {}).pop(entity_id, None)
        if entity is None:
            return
        index, key = self._index_of(entity)
        if index is not None:
            index[key].pop(entity_id)
            if not index[key]:
                del index[key]

    def _index_of(self, entity: Entity) -> tuple[dict[str, dict[str, Any]] | None, str]:
        if isinstance(entity, MidOwnership):
            return self._rows_by_mid, entity.mid
        if isinstance(entity, Grant) and entity.mid is not None:
            return self._grants_by_mid, entity.mid
        if isinstance(entity, Grant) and entity.tracking_number is not None:
            return self._grants_by_number, entity.tracking_number
        if isinstance(entity, MerchantAccessToken):
            return self._tokens_by_parties, f"{entity.merchant}/{entity.platform}"
        return None, ""

    def all(self, kind: str) -> Iterator[Entity]:
        """Every entity of a kind, in the order in which they came."""
        return iter(self._entities[kind].values())

    def get(self, kind: str, entity_id: str) -> Entity | None:
        """One entity, or None."""
        return self._entities[kind].get(entity_id)

    def merchant(self, merchant_id: str) -> Merchant | None:
        """One merchant, or None."""
        found = self._entities["merchant"].get(merchant_id)
        return found if isinstance(found, Merchant) else None

    def destination(self, destination_id: str) -> Destination | None:
        """One destination, or None."""
        found = self._entities["destination"].get(destination_id)
        return found if isinstance(found, Destination) else None

    def owners(self, mid: str) -> Iterable[MidOwnership]:
        """Every row of ownership of a MID, whenever."""
        return self._rows_by_mid.get(mid, {}).values()

    def grants_of_mid(self, mid: str) -> Iterable[Grant]:
        """Every grant of a MID, whenever."""
        return self._grants_by_mid.get(mid, {}).values()

    def grants_of_number(self, tracking_number: str) -> Iterable[Grant]:
        """Every grant of a tracking number (normalized), whenever."""
        return self._grants_by_number.get(tracking_number, {}).values()

    def token(self, token_id: str) -> MerchantAccessToken | None:
        """One Merchant Access Token as it was last seen, or None."""
        found = self._entities["merchant_access_token"].get(token_id)
        return self._as_seen(found) if isinstance(found, MerchantAccessToken) else None

    def tokens_between(self, merchant: str, platform: str) -> Iterable[MerchantAccessToken]:
        """Every token that this merchant gave this platform, as it was last seen."""
        tokens = self._tokens_by_parties.get(f"{merchant}/{platform}", {}).values()
        return map(self._as_seen, tokens) if self._observed_tokens else tokens

    @property
    def observed_tokens(self) -> Mapping[str, ObservedToken]:
        """What was seen of tokens at USPS, by token id."""
        return self._observed_tokens

    def observe_token(self, token_id: str, seen: ObservedToken | None) -> None:
        """What is seen of a token wins over its declaration; None: it is forgotten."""
        self._observed_tokens.pop(token_id, None)
        if seen is not None:
            self._observed_tokens[token_id] = seen

    def _as_seen(self, token: MerchantAccessToken) -> MerchantAccessToken:
        """The observed state and expiry, unless it is declared revoked."""
        seen = self._observed_tokens.get(token.id)
        if seen is None or token.state is TokenState.REVOKED:
            return token
        update: dict[str, Any] = {"state": seen.state}
        if seen.expires_at is not None:
            update["expires_at"] = datetime.fromisoformat(seen.expires_at)
        return token.model_copy(update=update)
