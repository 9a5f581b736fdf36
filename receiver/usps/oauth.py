"""The token endpoint of USPS's OAuth 3 (its document 3.0.6): grants out, tokens back.

Answers are met with numbers as numbers and as texts, with or without a scope, and with four
spellings of the issuer, which nobody needs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from pydantic import SecretStr

from receiver.usps.account import Account
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.exchange import UspsRequest, UspsResponse, exchange
from receiver.usps.refusal import RATE_LIMITED, refusal
from receiver.usps.retries import ATTEMPTS, NoQuota, Quota, Retries
from receiver.usps.timing import Timing
from schemas.metrics import UspsMetrics

OK: Final = 200
UNAUTHORIZED: Final = 401
# Where an answer does not say: soon enough to be asked again.
UNSTATED_EXPIRY_SECONDS: Final = 600.0
MAX_EXPIRY_SECONDS: Final = 400 * 86_400.0
# What a header can carry; anything else is no token.
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_DEAD_GRANT: Final = frozenset({"invalid_grant", "invalid_refresh_token"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """An answer. `scopes` None: it did not say. Seconds count from the answer.

    `refresh_token` and its seconds come with a merchant's grants only.
    """

    access_token: SecretStr
    expires_in_seconds: float
    scopes: frozenset[str] | None
    refresh_token: SecretStr | None = None
    refresh_expires_in_seconds: float | None = None


class TokenEndpoint:
    """Asks for tokens in the name of one account."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        account: Account,
        timing: Timing,
        metrics: UspsMetrics,
        *,
        quota: Quota | None = None,
        scope: str | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._session = session
        self._account = account
        self._timing = timing
        self._metrics = metrics
        self._quota = quota or NoQuota()
        self._scope = scope
        self._retries = Retries(timing, self._quota, attempts)

    async def grant(self, grant_type: str, **fields: str) -> Tokens:
        """The tokens for one grant.

        Raises:
            UspsUnavailable: later it may work.
            UspsRefused: `invalid_client` (the account's credentials), `invalid_grant` (the
                code or refresh token), or another reason.
        """
        account = self._account
        document = {
            "grant_type": grant_type,
            "client_id": account.client_id.get_secret_value(),
            "client_secret": account.client_secret.get_secret_value(),
            **({"scope": self._scope} if self._scope else {}),
            **fields,
        }
        label = f"POST oauth2 /token ({grant_type})"
        request = UspsRequest("POST", account.token_url, label, json=document)
        # A code is good once: if its answer was lost nobody can have it again.
        repeatable = grant_type != "authorization_code"
        return read_tokens(await self._answered(request, repeatable))

    async def _answered(self, request: UspsRequest, repeatable: bool) -> UspsResponse:
        attempt = 1
        while True:
            try:
                return await self._once(request)
            except UspsRefused as error:
                if not await self._retries.again(error, attempt, repeatable=repeatable):
                    raise
            attempt += 1

    async def _once(self, request: UspsRequest) -> UspsResponse:
        await self._quota.take()
        try:
            response = await exchange(self._session, request)
        except UspsUnavailable as error:
            self._metrics.calls.labels("oauth", error.reason).inc()
            raise
        status = response.status
        named = str(status) if status == RATE_LIMITED else f"{status // 100}xx"
        self._metrics.calls.labels("oauth", named).inc()
        if status == OK:
            return response
        raise self._told(refusal(request, response, self._timing.clock.now()))

    def _told(self, error: UspsRefused) -> UspsRefused:
        """With a sentence that says what to do, where the refusal is a known one."""
        if isinstance(error, UspsUnavailable):
            return error
        if not _DEAD_GRANT.isdisjoint(error.codes):
            return _renamed(
                error,
                "invalid_grant",
                f"USPS does not take this code or refresh token (account {self._account.id}): it "
                "ended, was used before, or was revoked; the merchant must authorize again",
            )
        if error.status == UNAUTHORIZED or "invalid_client" in error.codes:
            return _renamed(
                error,
                "invalid_client",
                f"USPS does not take the credentials of account {self._account.id}: correct its "
                "client_id and client_secret (consumer key and secret of the app at "
                "developers.usps.com), and see that environment is the one they are for",
            )
        return error


def read_tokens(response: UspsResponse) -> Tokens:
    """The tokens of an answer of status 200. Raises `UspsUnavailable` (`answer_unreadable`)."""
    document = response.json()
    if not isinstance(document, Mapping):
        raise _unreadable("no object")
    access = _token(document.get("access_token"))
    kind = document.get("token_type")
    if access is None:
        raise _unreadable("no access_token")
    if isinstance(kind, str) and not kind.lower().startswith("bearer"):
        raise _unreadable("a token_type that is not Bearer")
    refresh_seconds = _seconds(document.get("refresh_token_expires_in"))
    return Tokens(
        access,
        _seconds(document.get("expires_in")) or UNSTATED_EXPIRY_SECONDS,
        _scopes(document.get("scope")),
        _token(document.get("refresh_token")),
        refresh_seconds,
    )


def _token(value: object) -> SecretStr | None:
    return SecretStr(value) if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _scopes(value: object) -> frozenset[str] | None:
    return frozenset(value.split()) if isinstance(value, str) else None


def _seconds(value: Any) -> float | None:  # noqa: ANN401 -- any JSON value
    """A number of seconds, met as number and as text; None: not a usable one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_EXPIRY_SECONDS) if seconds > 0 else None


def _renamed(error: UspsRefused, reason: str, detail: str) -> UspsRefused:
    return UspsRefused(
        reason,
        detail,
        status=error.status,
        codes=error.codes,
        said=error.said.get_secret_value(),
    )


def _unreadable(what: str) -> UspsUnavailable:
    return UspsUnavailable(
        "answer_unreadable", f"USPS's token endpoint answered 200 with {what}", status=OK
    )
