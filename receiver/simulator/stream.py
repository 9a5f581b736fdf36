"""The order in which requests leave: journeys interleaved, some held back, some sent again."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from random import Random
from typing import Final, Literal

from receiver.simulator.callbacks import Audience, Callback, OnScan, unfolding
from receiver.simulator.faults import MADE_OF_ONE_CALLBACK, FaultRates, faulty, proper
from receiver.simulator.outgoing import Fault, Outgoing
from receiver.simulator.scans import Journey

_REMEMBERED: Final = 200


class Quiet(Enum):
    """Something happened of which nobody is told."""

    QUIET = "quiet"


QUIET: Final = Quiet.QUIET


class CallbackStream:
    """Requests, one at a time, each stamped and signed when it is asked for.

    Args:
        active: Journeys under way at a time; more of them: fewer callbacks of one in a row.
        on_journey: Told of every journey when its first callback is made.
        on_scan: Told of every scan when it becomes known.
    """

    def __init__(
        self,
        journeys: Iterator[Journey],
        audience: Audience,
        choose: Random,
        rates: FaultRates,
        *,
        active: int,
        on_journey: Callable[[Journey], None],
        on_scan: OnScan = lambda *_: None,
    ) -> None:
        self._journeys = journeys
        self._audience = audience
        self._choose = choose
        self._rates = rates
        self._on_journey = on_journey
        self._on_scan = on_scan
        self._active = active
        self._underway: list[Iterator[Callback | None]] = []
        self._held: deque[tuple[int, Callback]] = deque()
        self._sent: deque[Outgoing] = deque(maxlen=_REMEMBERED)
        self._extra: deque[Outgoing] = deque()
        self._count = 0
        # How far a callback that is out of order falls back, in callbacks of the whole stream:
        # about as many as pass until the next ones of its own journey.
        self._held_back = (active // 2 + 1, active * 3 + 2)
        self.fill()

    def fill(self) -> None:
        """Begins as many journeys as may be under way; more may have come up since."""
        while len(self._underway) < self._active and self._begin_another():
            pass

    def next(self, timestamp: str) -> Outgoing | None:
        """The next request, with this time in its envelope; None when all is told."""
        while (step := self.step(timestamp)) is QUIET:
            pass
        return step

    def step(self, timestamp: str) -> Outgoing | Literal[Quiet.QUIET] | None:
        """As `next`, but a scan of which nobody is told is a step too."""
        self._count += 1
        if self._extra:
            return self._extra.popleft()
        due = self._due()
        if due is None or due is QUIET:
            return due
        callback, fault = due
        request = proper(callback, timestamp, fault)
        self._add_faults(callback, timestamp)
        self._sent.append(request)
        return request

    def _due(self) -> tuple[Callback, Fault | None] | Literal[Quiet.QUIET] | None:
        """The next callback; one that was held back says so."""
        while True:
            if self._held and (self._held[0][0] <= self._count or not self._underway):
                return self._held.popleft()[1], Fault.OUT_OF_ORDER
            callback = self._next_callback()
            if callback is QUIET:
                return QUIET
            if callback is None:
                if not self._held:
                    return None
                continue
            if not self._happens(Fault.OUT_OF_ORDER) or not callback.may_wait:
                return callback, None
            self._hold_back(callback)

    def _next_callback(self) -> Callback | Literal[Quiet.QUIET] | None:
        while self._underway:
            index = self._choose.randrange(len(self._underway))
            for callback in self._underway[index]:
                return QUIET if callback is None else callback
            self._underway[index] = self._underway[-1]
            self._underway.pop()
            self._begin_another()
        return None

    def _begin_another(self) -> bool:
        journey = next(self._journeys, None)
        if journey is None:
            return False
        self._on_journey(journey)
        self._underway.append(unfolding(journey, self._audience, self._on_scan))
        return True

    def _hold_back(self, callback: Callback) -> None:
        until = self._count + self._choose.randrange(*self._held_back)
        position = next((i for i, held in enumerate(self._held) if held[0] > until), None)
        self._held.insert(len(self._held) if position is None else position, (until, callback))

    def _add_faults(self, callback: Callback, timestamp: str) -> None:
        for fault in MADE_OF_ONE_CALLBACK:
            if self._happens(fault) and _possible(fault, callback):
                self._extra.append(faulty(fault, callback, timestamp, self._choose))
        if self._sent and self._happens(Fault.REPEATED):
            self._extra.append(replace(self._choose.choice(self._sent), fault=Fault.REPEATED))

    def _happens(self, fault: Fault) -> bool:
        return self._choose.random() < self._rates.get(fault, 0.0)


def _possible(fault: Fault, callback: Callback) -> bool:
    """A number's subscription has no MID that a payload could contradict."""
    return fault is not Fault.MID_CONTRADICTION or bool(callback.subscriber.shipper.mid)
