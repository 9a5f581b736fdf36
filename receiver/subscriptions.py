"""The subscriptions that callbacks are looked up in: by USPS's id, with resolved secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from schemas.secrets import Secrets, SecretUnavailable
from schemas.usps.callback import OFFICIAL_SCHEME, SignatureScheme

# USPS takes no other length; a file that is just being written may have one for a moment.
SECRET_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """A subscription as its callbacks need it. Without `secrets` none can be verified."""

    name: str
    mid: str | None
    tracking_number: str | None
    secrets: tuple[bytes, ...]
    scheme: SignatureScheme = OFFICIAL_SCHEME


SubscriptionTable = Mapping[str, KnownSubscription]


class Resolved(NamedTuple):
    """The table, what could not be resolved (a sentence each), and who has no secret at all."""

    table: SubscriptionTable
    problems: tuple[str, ...]
    without_secret: tuple[str, ...]


def resolve_subscriptions(log: RegistryLog, secrets: Secrets) -> Resolved:
    """Every subscription under each id that it is known by: declared, or given by USPS.

    One without an id yet is left out of the table; its secrets are looked at all the same.
    """
    table: dict[str, KnownSubscription] = {}
    problems: list[str] = []
    without_secret: list[str] = []
    for entity in log.registry.all(Subscription.entity_kind):
        if not isinstance(entity, Subscription):
            continue
        values = _values(entity, secrets, problems)
        if not values:
            without_secret.append(entity.name)
        known = KnownSubscription(
            entity.name, entity.mid, entity.tracking_number, values, _scheme(entity, problems)
        )
        for subscription_id in (entity.id, log.observed.subscription_id(entity.name)):
            if subscription_id is not None:
                table[subscription_id] = known
    return Resolved(table, tuple(problems), tuple(without_secret))


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


def _scheme(subscription: Subscription, problems: list[str]) -> SignatureScheme:
    """Header names may be others; another form of signature is not verified, so it is refused."""
    declared = subscription.scheme
    if (
        declared.message not in (None, "timestamp+payload")
        or declared.encoding not in (None, "base64")
        or declared.legacy
    ):
        problems.append(
            f"subscription {subscription.name}: only USPS's official form of signature can be "
            "verified yet; its callbacks will not match"
        )
    if declared.headers is None:
        return OFFICIAL_SCHEME
    return SignatureScheme(tuple(name.lower().encode() for name in declared.headers))
