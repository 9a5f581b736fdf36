"""An account's own access token: cached, renewed early, one renewal at a time."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import SecretStr

from receiver.usps.errors import UspsRefused
from receiver.usps.oauth import TokenEndpoint, Tokens
from schemas.clock import Clock

log = structlog.get_logger(__name__)
# Longer than any call with its retries takes from getting the token to using it.
EARLY_SECONDS: Final = 300.0
# So long a refusal holds: a crowd of callers must not spend the quota on wrong credentials.
REFUSED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Held:
    token: SecretStr
    renew_at: float


class ClientCredentials:
    """`TokenSource` by the grant `client_credentials`."""

    def __init__(self, endpoint: TokenEndpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._renewing = asyncio.Lock()
        self._held: _Held | None = None
        self._scopes: frozenset[str] | None = None
        self._refused: tuple[float, UspsRefused] | None = None
        self._warned: set[str] = set()

    async def token(self, scope: str) -> SecretStr:
        """See `TokenSource`. All who come during a renewal get its token, or its refusal."""
        held = self._fresh()
        if held is None:
            async with self._renewing:
                held = self._fresh() or await self._renew()
        self._look_at(scope)
        return held.token

    def reject(self, token: SecretStr) -> None:
        """See `TokenSource`. Only the token in hand: another one may be newer than the refusal."""
        if self._held is not None and self._held.token == token:
            self._held = None

    def _fresh(self) -> _Held | None:
        held = self._held
        return held if held is not None and self._clock.monotonic() < held.renew_at else None

    async def _renew(self) -> _Held:
        if self._refused is not None and self._clock.monotonic() < self._refused[0]:
            raise self._refused[1]
        try:
            tokens = await self._endpoint.grant("client_credentials")
        except UspsRefused as error:
            if not error.retriable:
                self._refused = (self._clock.monotonic() + REFUSED_SECONDS, error)
            raise
        self._refused = None
        self._scopes = tokens.scopes
        self._held = _Held(tokens.access_token, self._clock.monotonic() + useful_seconds(tokens))
        return self._held

    def _look_at(self, scope: str) -> None:
        """A narrow or empty scope is the early sign of 401 at the API itself."""
        if self._scopes is not None and scope not in self._scopes and scope not in self._warned:
            self._warned.add(scope)
            log.warning(
                "token_scope_missing",
                scope=scope,
                remedy="ask USPS's API support to add the product to the app",
            )


def useful_seconds(tokens: Tokens) -> float:
    """How long a token may be used: until 5 minutes before its end, or half of a short life."""
    seconds = tokens.expires_in_seconds
    return max(seconds - EARLY_SECONDS, seconds / 2 if seconds < 2 * EARLY_SECONDS else 0.0)
