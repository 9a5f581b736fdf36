"""The one way to USPS's APIs: token, quota, time limits, retries and refusals in one place."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

import aiohttp
from pydantic import SecretStr

from receiver.usps.account import SCOPES, Account, Api
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.exchange import UspsRequest, UspsResponse, exchange
from receiver.usps.refusal import refusal
from receiver.usps.retries import ATTEMPTS, NoQuota, Quota, Retries
from receiver.usps.timing import Timing
from schemas.metrics import UspsMetrics

__all__ = ["TokenSource", "UspsHttp", "UspsRefused", "UspsResponse", "UspsUnavailable"]

OK: Final = frozenset({200})
UNAUTHORIZED: Final = 401
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class TokenSource(Protocol):
    """Where access tokens come from."""

    async def token(self, scope: str) -> SecretStr:
        """A token that is good for some minutes. Raises `UspsRefused`."""

    def reject(self, token: SecretStr) -> None:
        """USPS does not take this one any more: it is not given again."""


class UspsHttp:
    """The client of one account. The session is the caller's, made by `usps_session`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        account: Account,
        tokens: TokenSource,
        timing: Timing,
        metrics: UspsMetrics,
        *,
        quota: Quota | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._session = session
        self._account = account
        self._tokens = tokens
        self._timing = timing
        self._metrics = metrics
        self._quota = quota or NoQuota()
        self._retries = Retries(timing, self._quota, attempts)

    async def request(
        self,
        method: str,
        path: str,
        *,
        api: Api,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        expected: AbstractSet[int] = OK,
        idempotent: bool | None = None,
    ) -> UspsResponse:
        """The answer, whose status is one of `expected`.

        Tried again: 429 and 503 always, what else fails on the way only if the call is
        idempotent (None: GET, PUT and DELETE are), and a refused token once, with a new one.

        Raises:
            UspsUnavailable: it did not work out after all attempts; later it may.
            UspsRefused: any other status.
        """
        url = self._account.url(api, path)
        # Without what follows the first part of the path: that may name a piece.
        label = f"{method} {api} /{path.strip('/').partition('/')[0]}"
        request = UspsRequest(method, url, label, params, json, headers or {})
        repeatable = method in _IDEMPOTENT if idempotent is None else idempotent
        renewed = False
        attempt = 1
        while True:
            token = await self._tokens.token(SCOPES[api])
            try:
                return await self._once(request, token, api, expected)
            except UspsRefused as error:
                if error.status == UNAUTHORIZED and not renewed:
                    renewed = True
                    self._tokens.reject(token)
                    continue
                if not await self._retries.again(error, attempt, repeatable=repeatable):
                    raise
            attempt += 1

    async def _once(
        self, request: UspsRequest, token: SecretStr, api: Api, expected: AbstractSet[int]
    ) -> UspsResponse:
        await self._quota.take()
        secret = token.get_secret_value()
        sent = UspsRequest(
            request.method,
            request.url,
            request.label,
            request.params,
            request.json,
            {**request.headers, "Authorization": f"Bearer {secret}"},
        )
        try:
            response = await exchange(self._session, sent)
        except UspsUnavailable as error:
            self._metrics.calls.labels(api, error.reason).inc()
            raise
        self._metrics.calls.labels(api, _outcome(response.status)).inc()
        if response.status in expected:
            return response
        raise refusal(request, response, self._timing.clock.now(), [secret])


def _outcome(status: int) -> str:
    """A closed set for the metric: `2xx` to `5xx`, and those that say something of their own."""
    return str(status) if status in {401, 403, 404, 429} else f"{status // 100}xx"
