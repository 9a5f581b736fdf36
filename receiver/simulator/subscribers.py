"""Whom the simulator calls: the subscriptions of registry files that have an id and a secret."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from receiver.simulator.registry_files import entities_of
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
    """A subscription as USPS has it.

    Attributes:
        listener_url: Where it is called; None: where the simulator is told to call.
    """

    name: str
    subscription_id: str
    shipper: Shipper
    event_types: frozenset[EventType]
    scheme: SignatureScheme
    secret: SecretStr
    listener_url: str | None = None

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
        for declared in entities_of(path, Subscription)
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
