"""Whom the simulator calls: the subscriptions of registry files that have an id and a secret."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from pydantic import SecretStr, ValidationError

from receiver.simulator.scans import Scan, Shipper
from schemas.errors import OperatorError
from schemas.registry.entities import EventType, SignatureScheme, Subscription
from schemas.secrets import Secrets

_DELAY_TEXT: Final = "Arriving Late"
# What the documents call delivery activity: delivered, delayed, or the recipient must act.
_DELIVERY_ACTIVITY_CODES: Final = frozenset(
    {"01", "02", "04", "14", "16", "30", "51", "52", "53", "54", "55", "56"}
)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription as USPS has it."""

    name: str
    subscription_id: str
    shipper: Shipper
    event_types: frozenset[EventType]
    scheme: SignatureScheme
    secret: SecretStr

    @property
    def detailed(self) -> bool:
        """Whether it is told scan by scan, in the detailed layout."""
        return EventType.SCAN_EVENT_EXTRACT in self.event_types

    def wants(self, scan: Scan) -> bool:
        """Whether USPS calls for this scan; delay notices are not part of ALL_UPDATES."""
        wanted = self.event_types
        if EventType.SCAN_EVENT_EXTRACT in wanted:
            return True
        if scan.text.endswith(_DELAY_TEXT):
            return bool(wanted & {EventType.PACKAGE_DELAYED, EventType.DELIVERY_ACTIVITY})
        if EventType.ALL_UPDATES in wanted:
            return True
        return EventType.DELIVERY_ACTIVITY in wanted and scan.code in _DELIVERY_ACTIVITY_CODES


def read_subscribers(paths: Iterable[Path], secrets: Secrets) -> list[Subscriber]:
    """Every subscription with an id. Raises `OperatorError`, `SecretUnavailable`."""
    found = [
        _subscriber(declared, declared.id, secrets)
        for path in paths
        for declared in _declared(path)
        if declared.id is not None and not declared.scheme.legacy
    ]
    if not found:
        raise OperatorError(
            "no_subscription",
            "the registry files hold no subscription with an id: USPS would call nobody. "
            "Give one an id, e.g. id: 0190aa11-2b3c-7d4e-8f50-61728394a5b6",
        )
    return found


def shippers_of(subscribers: Sequence[Subscriber]) -> list[Shipper]:
    """Whose pieces have to travel, each once."""
    return list(dict.fromkeys(subscriber.shipper for subscriber in subscribers))


def _subscriber(declared: Subscription, subscription_id: str, secrets: Secrets) -> Subscriber:
    return Subscriber(
        declared.name,
        subscription_id,
        Shipper(declared.mid or "", declared.tracking_number),
        frozenset(declared.event_types),
        declared.scheme,
        secrets.resolve(declared.secrets[0]),
    )


def _declared(path: Path) -> list[Subscription]:
    try:
        entries = _entries(path)
        return [Subscription.model_validate(entry) for entry in entries]
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        what = "its subscriptions" if isinstance(error, ValidationError) else "it"
        raise OperatorError(
            "registry_unreadable",
            f"{path}: cannot read {what} ({type(error).__name__}). "
            f"See what is wrong: scanwire-processors registry plan {path}",
        ) from None


def _entries(path: Path) -> list[dict[str, Any]]:
    """The subscriptions of a YAML, JSON or JSON Lines file (one entity with `kind` a line)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        lines = (orjson.loads(line) for line in text.splitlines() if line.strip())
        return [_without_kind(line) for line in lines if line.get("kind") == "subscription"]
    document = orjson.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
    return list((document or {}).get("subscriptions") or [])


def _without_kind(entity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entity.items() if name != "kind"}
