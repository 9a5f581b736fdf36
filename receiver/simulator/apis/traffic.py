"""What callbacks do to subscriptions: those that fail suspend one, those that lack delete it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.shelf import Shelf
from receiver.simulator.apis.subscription import Patience, Status, UspsSubscription
from receiver.simulator.scans import Journey, Shipper
from receiver.simulator.subscribers import Subscriber
from schemas.clock import Clock

log = structlog.get_logger(__name__)

# How many USPS takes is not published.
FAILURES_TO_SUSPEND: Final = 10
_ACCEPTED: Final = range(200, 300)
# Told of what USPS would write e-mails about: the kind and the subscription's id.
OnNotice = Callable[[str, str], None]


def log_notice(kind: str, subscription_id: str) -> None:
    """In place of an e-mail."""
    log.info("usps_notice_sent", notice=kind, subscription_id=subscription_id)


class Traffic:
    """Whom to call for a scan, and what their answers come to."""

    def __init__(
        self,
        shelf: Shelf,
        oddities: frozenset[ApiOddity],
        patience: Patience,
        clock: Clock,
        on_notice: OnNotice = log_notice,
    ) -> None:
        self._shelf = shelf
        self._suspends = ApiOddity.SUSPEND_AFTER_FAILURES in oddities
        self._deletes = ApiOddity.IDLE_DELETION in oddities
        self._patience = patience
        self._clock = clock
        self._on_notice = on_notice
        self._failures: dict[str, int] = {}
        self._warned: set[str] = set()

    def subscribers(self, journey: Journey) -> tuple[Subscriber, ...]:
        """By the MID of the piece, and by its number."""
        shipper = journey.shipper
        found = self._shelf.subscribers(shipper)
        if shipper.tracking_number is not None:
            return found
        return found + self._shelf.subscribers(Shipper("", journey.tracking_number))

    def delivers(self, subscription_id: str) -> bool:
        """Whether what was made for it may still be sent."""
        found = self._shelf.known.get(subscription_id)
        return found is not None and found.is_called

    def answered(self, subscription_id: str, status: int) -> None:
        """A callback has its last answer; 0: none came."""
        found = self._shelf.known.get(subscription_id)
        if found is None:
            return
        self._shelf.traffic_at[subscription_id] = self._clock.now()
        self._warned.discard(subscription_id)
        if status in _ACCEPTED:
            self._failures.pop(subscription_id, None)
            return
        failures = self._failures.get(subscription_id, 0) + 1
        self._failures[subscription_id] = failures
        if self._suspends and failures >= FAILURES_TO_SUSPEND and found.is_called:
            self._suspend(found)

    def sweep(self) -> None:
        """Warns of idle subscriptions after 25 days, deletes them after 30."""
        if not self._deletes:
            return
        now = self._clock.now()
        for subscription_id, traffic_at in list(self._shelf.traffic_at.items()):
            idle = now - traffic_at
            if idle >= self._patience.deletion:
                self._forget(subscription_id)
                self._shelf.remove(subscription_id)
                self._on_notice("idle_deleted", subscription_id)
            elif idle >= self._patience.warning and subscription_id not in self._warned:
                self._warned.add(subscription_id)
                self._on_notice("idle_warned", subscription_id)

    def _suspend(self, found: UspsSubscription) -> None:
        self._forget(found.subscription_id)
        now = self._clock.now()
        self._shelf.put(replace(found, status=Status.SUSPENDED, changed_at=now))
        self._on_notice("suspended", found.subscription_id)

    def _forget(self, subscription_id: str) -> None:
        self._failures.pop(subscription_id, None)
        self._warned.discard(subscription_id)
