"""Who may call the resource APIs: a token with the scope, and some quota left."""

from starlette.requests import Request

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.quota import Quota
from receiver.simulator.apis.tokens import TokenBook
from receiver.simulator.apis.traffic import Traffic


class Gate:
    """In front of every operation; idle subscriptions are swept before any of them."""

    def __init__(
        self, tokens: TokenBook, quota: Quota, traffic: Traffic, oddities: frozenset[ApiOddity]
    ) -> None:
        self._tokens = tokens
        self._quota = quota
        self._traffic = traffic
        self.with_errors = ApiOddity.EMPTY_ERRORS not in oddities

    def admit(self, request: Request, scope: str) -> str:
        """The client's id. Raises `ApiRefusal`: 401, 429."""
        client_id = self._tokens.client_of(request.headers.get("authorization"), scope)
        self._quota.take(client_id)
        self._traffic.sweep()
        return client_id
