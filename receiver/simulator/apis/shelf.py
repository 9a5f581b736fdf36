"""Where the subscriptions are kept, with what lists said a minute ago."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from receiver.simulator.apis.subscription import UspsSubscription
from receiver.simulator.scans import Shipper
from receiver.simulator.subscribers import Subscriber
from schemas.clock import Clock

LIST_LAG: Final = timedelta(seconds=60)

Subscriptions = Mapping[str, UspsSubscription]


class Shelf:
    """All subscriptions by id, in the order of their creation.

    Attributes:
        traffic_at: When each was last called (created, if it never was).
    """

    def __init__(self, clock: Clock) -> None:
        self.traffic_at: dict[str, datetime] = {}
        self._clock = clock
        self._known: Subscriptions = {}
        self._past: deque[tuple[datetime, Subscriptions]] = deque()
        self._subscribers: dict[Shipper, tuple[Subscriber, ...]] = {}

    @property
    def known(self) -> Subscriptions:
        """As they are now; a mapping that does not change any more."""
        return self._known

    @property
    def listed(self) -> Subscriptions:
        """As they were a minute ago."""
        self._forget_past()
        return self._past[0][1] if self._past else self._known

    def put(self, *subscriptions: UspsSubscription) -> None:
        """New ones, or other states of known ones."""
        now = self._clock.now()
        for one in subscriptions:
            self.traffic_at.setdefault(one.subscription_id, now)
        self._become({**self._known, **{one.subscription_id: one for one in subscriptions}})

    def remove(self, subscription_id: str) -> None:
        """It is gone; unknown ones were already."""
        self.traffic_at.pop(subscription_id, None)
        self._become({id_: one for id_, one in self._known.items() if id_ != subscription_id})

    def subscribers(self, shipper: Shipper) -> tuple[Subscriber, ...]:
        """Whom to call for this shipper's pieces now."""
        return self._subscribers.get(shipper, ())

    def _forget_past(self) -> None:
        then = self._clock.now() - LIST_LAG
        while self._past and self._past[0][0] <= then:
            self._past.popleft()

    def _become(self, known: Subscriptions) -> None:
        self._forget_past()
        self._past.append((self._clock.now(), self._known))
        self._known = known
        called: dict[Shipper, list[Subscriber]] = {}
        for one in known.values():
            if one.is_called:
                called.setdefault(one.shipper, []).append(one.subscriber)
        self._subscribers = {shipper: tuple(found) for shipper, found in called.items()}
