"""USPS in a box: the three APIs, packages under way, and callbacks to whoever subscribed.

async with usps_in_a_box(plan, clock) as box:
    ...  # create a subscription at box.base_url
    await box.tell(100)  # a hundred scans happen; their callbacks are answered
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from receiver.simulator.apis.serve import LOOPBACK, serving
from receiver.simulator.apis.subscription import UspsSubscription
from receiver.simulator.apis.traffic import OnNotice, log_notice
from receiver.simulator.apis.usps import Terms, Usps
from receiver.simulator.faults import FaultRates
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import USUAL, Rates
from receiver.simulator.outgoing import Becomes, Fault, Outgoing
from receiver.simulator.push import Pusher
from receiver.simulator.pushers import Pushers
from receiver.simulator.retries import Retries
from receiver.simulator.scans import Journey, Shipper
from receiver.simulator.seeded import seeded
from receiver.simulator.stream import QUIET, CallbackStream, Quiet
from receiver.simulator.truth import Answer, Truth
from schemas.clock import Clock, rfc3339

_LISTENER = "http://127.0.0.1:8080/usps/tracking"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes:
        terms: What the APIs are like.
        subscriptions: Those that exist from the start.
        shippers: Whose pieces travel from the start; None: those of the MIDs of `terms`.
        packages: So many in all; None: without end.
        active: Packages under way at a time.
        rates: Oddities of journeys.
        faults: Faults of callbacks.
        url: Where declared subscriptions are called; `all_to_it`: all others too.
        connections: The most callbacks in flight to one URL.
    """

    terms: Terms = field(default_factory=Terms)
    subscriptions: tuple[UspsSubscription, ...] = ()
    shippers: tuple[Shipper, ...] | None = None
    seed: int = 1
    packages: int | None = None
    active: int = 50
    rates: Rates = field(default_factory=lambda: USUAL)
    faults: FaultRates = field(default_factory=dict)
    url: str = _LISTENER
    all_to_it: bool = False
    retries: Retries = field(default_factory=Retries)
    connections: int = 64


class UspsInABox:
    """Steps on when told to. Its application is served by whoever made it.

    Attributes:
        usps: The state of the APIs.
        truth: What was sent, answered and true.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        truth: Truth | None = None,
        on_notice: OnNotice = log_notice,
    ) -> None:
        self.base_url = ""
        self.truth = truth or Truth()
        self._clock = clock
        self.usps = Usps(
            plan.terms,
            plan.seed,
            clock,
            on_created=self._begin_for,
            on_notice=on_notice,
        )
        self.usps.have(plan.subscriptions)
        self._ready: deque[Outgoing | None] = deque()
        self._maker = JourneyMaker(plan.seed, _shippers(plan), clock.now(), plan.rates)
        self._stream = CallbackStream(
            _Supply(self._maker.next, plan.packages),
            self.usps.traffic,
            seeded(plan.seed, "stream"),
            plan.faults,
            active=plan.active,
            on_journey=self.truth.journey,
            on_scan=self.usps.histories.scanned,
        )
        self.pushers = Pushers(
            lambda url: Pusher(url, self._answered, plan.connections, plan.retries),
            plan.url,
            all_to_it=plan.all_to_it,
        )

    def prepare(self, callbacks: int) -> int:
        """Makes so many callbacks, to be sent by later steps; returns how many there were."""
        timestamp = rfc3339(self._clock.now())
        made = (self._stream.next(timestamp) for _ in range(callbacks))
        self._ready.extend(takewhile(lambda one: one is not None, made))
        return len(self._ready)

    def step(self) -> bool:
        """One scan or callback; False while no package is under way."""
        request = self._ready.popleft() if self._ready else self._make()
        if request is None:
            return False
        if request is not QUIET and self._is_sent(request):
            self.pushers.push(request)
        return True

    async def tell(self, steps: int) -> int:
        """So many steps, and their callbacks answered; returns how many steps there were."""
        told = 0
        while told < steps and self.step():
            told += 1
        await self.pushers.drain()
        return told

    def _make(self) -> Outgoing | Literal[Quiet.QUIET] | None:
        return self._stream.step(rfc3339(self._clock.now()))

    def _is_sent(self, request: Outgoing) -> bool:
        """Not if its subscription is no longer called; a stranger's never was one of USPS's."""
        stranger = request.fault is Fault.UNKNOWN_SUBSCRIPTION
        return stranger or self.usps.traffic.delivers(request.subscription_id)

    def _answered(self, request: Outgoing, answer: Answer) -> None:
        self.truth.answered(request, answer)
        # What has to be refused does not come from USPS.
        if request.becomes is not Becomes.REFUSED:
            self.usps.traffic.answered(request.subscription_id, answer.status)

    def _begin_for(self, created: UspsSubscription) -> None:
        """Pieces travel for whoever subscribes, if none did yet."""
        number = created.shipper.tracking_number
        if number is None or not self.usps.histories.knows(number):
            self._maker.add(created.shipper)
            self._stream.fill()


def _shippers(plan: Plan) -> Sequence[Shipper]:
    return (
        [Shipper(mid) for mid in sorted(plan.terms.mids)]
        if plan.shippers is None
        else plan.shippers
    )


class _Supply(Iterator[Journey]):
    """Journeys up to a number of them; runs dry, and flows again when somebody ships."""

    def __init__(self, make: Callable[[], Journey | None], count: int | None) -> None:
        self._make = make
        self._left = count

    def __next__(self) -> Journey:
        journey = None if self._left == 0 else self._make()
        if journey is None:
            raise StopIteration
        if self._left is not None:
            self._left -= 1
        return journey


@asynccontextmanager
async def usps_in_a_box(
    plan: Plan,
    clock: Clock,
    *,
    port: int = 0,
    host: str = LOOPBACK,
    truth: Truth | None = None,
    on_notice: OnNotice = log_notice,
) -> AsyncIterator[UspsInABox]:
    """Serves the APIs while the context lasts; what is unanswered at its end is given up."""
    box = UspsInABox(plan, clock, truth, on_notice)
    async with serving(box.usps.app(), port, host) as box.base_url:
        try:
            yield box
        finally:
            await box.pushers.settle(0)
