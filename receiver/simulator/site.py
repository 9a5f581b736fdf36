"""What registry files say of USPS's side: accounts, MIDs, subscriptions that exist there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from receiver.simulator.apis.subscription import UspsSubscription
from receiver.simulator.apis.usps import CLIENT_ID, CLIENT_SECRET
from receiver.simulator.registry_files import entities_of
from receiver.simulator.scans import Shipper
from schemas.registry.entities import MidOwnership, Subscription, UspsAccount
from schemas.secrets import Secrets

_SIMULATOR: Final = "simulator"
_NOBODY: Final = ("nobody@example.com",)


@dataclass(frozen=True, slots=True)
class Site:
    """Who may call the APIs, whose pieces travel, who is called from the start."""

    clients: Mapping[str, SecretStr] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    mids: frozenset[str] = frozenset()
    subscriptions: tuple[UspsSubscription, ...] = ()

    @property
    def subscribed(self) -> tuple[Shipper, ...]:
        """Of whose pieces somebody is told from the start; each once."""
        return tuple(dict.fromkeys(one.shipper for one in self.subscriptions))

    @property
    def shippers(self) -> tuple[Shipper, ...]:
        """Whoever may ship: those, and all MIDs."""
        return tuple(dict.fromkeys([*self.subscribed, *map(Shipper, sorted(self.mids))]))


def read_site(paths: Iterable[Path], secrets: Secrets, url: str, now: datetime) -> Site:
    """Accounts of `environment: simulator`, all MIDs, the subscriptions with an id.

    `url`: where subscriptions without a listener URL are called. Without any account there is
    one client of ours. Raises `OperatorError`, `SecretUnavailable`.
    """
    files = list(paths)
    accounts = [
        one
        for path in files
        for one in entities_of(path, UspsAccount)
        if one.environment == _SIMULATOR
    ]
    ids = {one.id: secrets.resolve(one.client_id).get_secret_value() for one in accounts}
    clients = {ids[one.id]: secrets.resolve(one.client_secret) for one in accounts}
    declared = [one for path in files for one in entities_of(path, Subscription)]
    owned = [one.mid for path in files for one in entities_of(path, MidOwnership)]
    client_ids = ids or {"": CLIENT_ID}
    return Site(
        clients=clients or {CLIENT_ID: CLIENT_SECRET},
        mids=frozenset([*owned, *(one.mid for one in declared if one.mid is not None)]),
        subscriptions=tuple(
            _existing(one, one.id, client_ids=client_ids, secrets=secrets, url=url, now=now)
            for one in declared
            if one.id is not None and not one.scheme.legacy
        ),
    )


def _existing(
    declared: Subscription,
    subscription_id: str,
    *,
    client_ids: Mapping[str, str],
    secrets: Secrets,
    url: str,
    now: datetime,
) -> UspsSubscription:
    """As if it had been created when the simulation begins."""
    return UspsSubscription(
        subscription_id=subscription_id,
        client_id=client_ids.get(declared.account or "", next(iter(client_ids.values()))),
        name=declared.name,
        listener_url=declared.listener_url or url,
        secret=secrets.resolve(declared.secrets[0]),
        emails=tuple(declared.admin_emails or _NOBODY),
        shipper=Shipper(declared.mid or "", declared.tracking_number),
        event_types=tuple(declared.event_types),
        created_at=now,
        changed_at=now,
        scheme=declared.scheme,
        declared=True,
    )
