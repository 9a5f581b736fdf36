"""USPS's side in one object: its state, and the application that serves the three APIs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.simulator.apis.answers import answer
from receiver.simulator.apis.book import SubscriptionBook
from receiver.simulator.apis.gate import Gate
from receiver.simulator.apis.histories import Histories
from receiver.simulator.apis.oauth import OAuthApi
from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.quota import CALLS_PER_HOUR, Quota
from receiver.simulator.apis.refusals import ApiRefusal
from receiver.simulator.apis.shelf import Shelf
from receiver.simulator.apis.subscription import Patience, UspsSubscription, stated
from receiver.simulator.apis.subscriptions import SubscriptionsApi
from receiver.simulator.apis.tokens import TokenBook
from receiver.simulator.apis.tracking import TrackingApi
from receiver.simulator.apis.traffic import OnNotice, Traffic, log_notice
from receiver.simulator.seeded import seeded
from schemas.clock import Clock

DOCUMENT: Final = Path(__file__).with_name("usps.yaml")
# Who may call where no registry file names accounts.
CLIENT_ID: Final = "scanwire-simulator"
CLIENT_SECRET: Final = SecretStr("scanwire-simulator-secret")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the APIs are told to be like.

    Attributes:
        clients: The applications: their ids and secrets.
        mids: Those that they are authorised for.
        calls_per_hour: Of each client, where an oddity counts them.
        clock_speed: How many times as fast the days of idle subscriptions pass.
    """

    clients: Mapping[str, SecretStr] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    mids: frozenset[str] = frozenset()
    oddities: frozenset[ApiOddity] = frozenset()
    calls_per_hour: int = CALLS_PER_HOUR
    clock_speed: float = 1.0


class Usps:
    """The APIs' state. Deterministic by seed, clock and the order of calls.

    Attributes:
        histories: What is known of each package; to be told of every scan.
        traffic: Whom to call, and to be told of every answer.
    """

    def __init__(
        self,
        terms: Terms,
        seed: int,
        clock: Clock,
        *,
        on_created: Callable[[UspsSubscription], None] = lambda _: None,
        on_notice: OnNotice = log_notice,
    ) -> None:
        oddities = terms.oddities
        self.histories = Histories()
        self._shelf = Shelf(clock)
        patience = Patience.at_speed(terms.clock_speed)
        self.traffic = Traffic(self._shelf, oddities, patience, clock, on_notice)
        tokens = TokenBook(terms.clients, seeded(seed, "tokens"), clock)
        quota = Quota(oddities, terms.calls_per_hour, clock)
        gate = Gate(tokens, quota, self.traffic, oddities)
        book = SubscriptionBook(
            self._shelf, terms.mids, oddities, seeded(seed, "subscriptions"), clock
        )
        self._apis = (
            OAuthApi(tokens, quota),
            SubscriptionsApi(gate, book, partial(self._stated, patience.deletion), on_created),
            TrackingApi(gate, self.histories, terms.mids, oddities),
        )

    @property
    def subscriptions(self) -> Mapping[str, UspsSubscription]:
        """As they are now, by id."""
        return self._shelf.known

    def have(self, subscriptions: Iterable[UspsSubscription]) -> None:
        """Subscriptions that were created before the simulation began."""
        self._shelf.put(*subscriptions)

    def app(self) -> Starlette:
        """The application; it also serves the document that says what it speaks."""
        return Starlette(
            routes=[
                *(route for api in self._apis for route in api.routes()),
                Route("/usps.yaml", _document),
            ],
            exception_handlers={HTTPException: _no_such_thing},
        )

    def _stated(self, idle: timedelta, one: UspsSubscription) -> dict[str, Any]:
        """A list may still name one that is gone, and with it the time of its last traffic."""
        traffic_at = self._shelf.traffic_at.get(one.subscription_id, one.created_at)
        return stated(one, traffic_at + idle)


async def _document(_: Request) -> Response:
    return Response(DOCUMENT.read_bytes(), media_type="application/yaml")


async def _no_such_thing(_: Request, error: Exception) -> Response:
    """404 and 405 of paths, in the shape of the resource APIs."""
    assert isinstance(error, HTTPException)
    refusal = ApiRefusal(error.status_code, "no_such_resource", f"Simulated: {error.detail}.")
    return answer(refusal.body("", with_errors=True), error.status_code, error.headers)
