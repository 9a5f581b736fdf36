"""USPS's Subscriptions API as the reconciler uses it."""

from collections.abc import Sequence
from typing import Protocol

from receiver.subscribing.shapes import Created, EventFilter, Tagged, UspsSubscription, Wanted
from schemas.errors import ScanwireError


class DuplicateSubscription(ScanwireError):
    """USPS has one for this listener and filter already; its id, where USPS names it.

    `detail` is what USPS said, fit to be shown.
    """

    def __init__(self, subscription_id: str | None, detail: str = "") -> None:
        super().__init__("duplicate_subscription", detail)
        self.subscription_id = subscription_id


class TagStale(ScanwireError):
    """The ETag is used up, older than an hour, or somebody else changed the subscription (412)."""


class SubscriptionsApi(Protocol):
    """One account's. Everything raises `UspsRefused`; `UspsUnavailable`: nobody knows the end."""

    async def create(self, wanted: Wanted) -> Created:
        """Raises `DuplicateSubscription`."""

    async def get(self, subscription_id: str) -> Tagged | None:
        """As it is now. None: there is none, or no more."""

    async def find(self, event_filter: EventFilter) -> Sequence[UspsSubscription]:
        """Those that USPS lists for the MID or number. The list may be hours behind."""

    async def replace(self, tagged: Tagged, wanted: Wanted) -> bool:
        """Sets URL, secret and status. False: there is none any more. Raises `TagStale`."""

    async def delete(self, tagged: Tagged) -> None:
        """Ends it; well also when there was none. Raises `TagStale`."""
