"""The subscriptions that callbacks are looked up in: by USPS's id, with resolved secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from schemas.registry.entities import SignatureScheme as DeclaredScheme
from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from schemas.registry.observed import FormerSubscription, ObservedSubscription
from schemas.secrets import Secrets, SecretUnavailable
from schemas.usps.signature import OFFICIAL_SCHEME, SignatureScheme

# USPS takes no other length; a file that is just being written may have one for a moment.
SECRET_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """A subscription as its callbacks need it. Without `secrets` none can be verified.

    Attributes:
        secrets: Newest first.
        legacy: Bodies without an envelope are read too.
        commissioning: Each mismatch is looked into.
    """

    name: str
    mid: str | None
    tracking_number: str | None
    secrets: tuple[bytes, ...]
    scheme: SignatureScheme = OFFICIAL_SCHEME
    legacy: bool = False
    commissioning: bool = False


SubscriptionTable = Mapping[str, KnownSubscription]


class Resolved(NamedTuple):
    """The table, what could not be resolved (a sentence each), and who has no secret at all."""

    table: SubscriptionTable
    problems: tuple[str, ...]
    without_secret: tuple[str, ...]


def resolve_subscriptions(log: RegistryLog, secrets: Secrets) -> Resolved:
    """Every subscription under each id that it is known by: declared, given by USPS, or former.

    One without an id yet is left out of the table; its secrets are looked at all the same.
    """
    table: dict[str, KnownSubscription] = {}
    problems: list[str] = []
    without_secret: list[str] = []
    observed = log.observed.subscriptions()
    former: dict[str, KnownSubscription] = {}
    for entity in log.registry.all(Subscription.entity_kind):
        if not isinstance(entity, Subscription):
            continue
        values = _values(entity, secrets, problems)
        if not values:
            without_secret.append(entity.name)
        known = _known(entity, values)
        if entity.id is not None:
            table[entity.id] = known
        seen = observed.get(entity.name)
        if seen is not None:
            table[seen.subscription_id] = _as_at_usps(known, seen)
            former.update((one.subscription_id, _as_at_usps(known, one)) for one in seen.former)
    return Resolved({**former, **table}, tuple(problems), tuple(without_secret))


def _as_at_usps(
    known: KnownSubscription, seen: ObservedSubscription | FormerSubscription
) -> KnownSubscription:
    """For the MID that this id calls for: the declaration may name another one meanwhile."""
    if seen.mid is None and seen.tracking_number is None:
        return known
    return replace(known, mid=seen.mid, tracking_number=seen.tracking_number)


def _values(subscription: Subscription, secrets: Secrets, problems: list[str]) -> tuple[bytes, ...]:
    values = []
    for reference in subscription.secrets:
        try:
            value = secrets.resolve(reference).get_secret_value()
        except SecretUnavailable as error:
            problems.append(f"subscription {subscription.name}: {error.detail}")
            continue
        if len(value) == SECRET_CHARACTERS:
            values.append(value.encode())
        else:
            problems.append(
                f"subscription {subscription.name}: {reference} does not have "
                f"{SECRET_CHARACTERS} characters"
            )
    return tuple(values)


def _known(subscription: Subscription, secrets: tuple[bytes, ...]) -> KnownSubscription:
    declared = subscription.scheme
    return KnownSubscription(
        subscription.name,
        subscription.mid,
        subscription.tracking_number,
        secrets,
        _scheme(declared),
        declared.legacy,
        declared.commissioning,
    )


def _scheme(declared: DeclaredScheme) -> SignatureScheme:
    """What is declared; what is not is as USPS's document has it."""
    headers = declared.headers
    return SignatureScheme(
        tuple(name.lower().encode() for name in headers)
        if headers
        else OFFICIAL_SCHEME.header_names,
        declared.message or OFFICIAL_SCHEME.message,
        declared.encoding or OFFICIAL_SCHEME.encoding,
    )
