"""Clients, codes and tokens, as USPS's document "OAuth 2.0" 3.0.6 has them."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar

import orjson
from pydantic import SecretStr

from receiver.simulator.apis.refusals import UNAUTHORIZED, ApiRefusal, OAuthRefusal
from schemas.clock import Clock

SCOPES: Final = frozenset({"tracking", "subscriptions-tracking"})
# As USPS's answers state them: eight hours and seven days, each less a second.
ACCESS_SECONDS: Final = 28_799
REFRESH_SECONDS: Final = 604_799
_CODE_SECONDS: Final = 600
_BEARER: Final = "bearer "
_REMEMBERED: Final = 10_000
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class _Access:
    client_id: str
    scopes: frozenset[str]
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Code:
    client_id: str
    redirect_uri: str
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Refresh:
    client_id: str
    scopes: frozenset[str]
    ends: datetime
    count: int


class TokenBook:
    """Issues and knows tokens; forgets the oldest of many."""

    def __init__(self, clients: Mapping[str, SecretStr], choose: Random, clock: Clock) -> None:
        self._clients = clients
        self._choose = choose
        self._clock = clock
        self._access: dict[str, _Access] = {}
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Refresh] = {}

    def is_client(self, client_id: str) -> bool:
        """Whether there is such an application."""
        return client_id in self._clients

    def check_client(self, client_id: str, client_secret: str) -> None:
        """Raises `OAuthRefusal`: no such client, or not its secret."""
        known = self._clients.get(client_id, SecretStr(""))
        same = hmac.compare_digest(
            known.get_secret_value().encode(), client_secret.encode("utf-8", "surrogatepass")
        )
        if not same or not self.is_client(client_id):
            raise OAuthRefusal("invalid_client", "Simulated: unknown client, or wrong secret.")

    def client_of(self, authorization: str | None, scope: str) -> str:
        """Whose token it is, as a request's header has it. Raises `ApiRefusal`: 401."""
        header = authorization or ""
        known = self._access.get(header[len(_BEARER) :].strip())
        if known is None or not header.lower().startswith(_BEARER):
            raise _unauthorized("invalid_token", "the access token is missing or unknown")
        if known.ends <= self._clock.now():
            raise _unauthorized("expired_token", "the access token has expired")
        if scope not in known.scopes:
            raise _unauthorized("invalid_oauth_scope", "Insufficient scope")
        return known.client_id

    def authorize(self, client_id: str, redirect_uri: str) -> str:
        """A code, as after a merchant's sign-in. Raises `OAuthRefusal`."""
        if not self.is_client(client_id):
            raise OAuthRefusal("invalid_client", "Simulated: unknown client.")
        code = self._text(24)
        _keep(self._codes, code, _Code(client_id, redirect_uri, self._after(_CODE_SECONDS)))
        return code

    def by_credentials(self, client_id: str, scope: str | None) -> dict[str, Any]:
        """The answer to the client credentials grant. Raises `OAuthRefusal`."""
        return self._issue(client_id, _narrowed(SCOPES, scope))

    def by_code(
        self, client_id: str, code: str, redirect_uri: str, scope: str | None
    ) -> dict[str, Any]:
        """The answer to the code grant; a code is good once. Raises `OAuthRefusal`."""
        known = self._codes.pop(code, None)
        if (
            known is None
            or known.ends <= self._clock.now()
            or (known.client_id, known.redirect_uri) != (client_id, redirect_uri)
        ):
            raise OAuthRefusal("invalid_grant", "Simulated: the code is not, or no longer, good.")
        scopes = _narrowed(SCOPES, scope)
        fresh = _Refresh(client_id, scopes, self._after(REFRESH_SECONDS), 0)
        return self._issue(client_id, scopes) | self._issue_refresh(fresh)

    def by_refresh(self, client_id: str, refresh_token: str, scope: str | None) -> dict[str, Any]:
        """The answer to the refresh grant: the token is replaced. Raises `OAuthRefusal`."""
        known = self._refresh.get(refresh_token)
        if known is None or known.client_id != client_id or known.ends <= self._clock.now():
            raise OAuthRefusal(
                "invalid_grant", "Simulated: the refresh token is unknown, expired or revoked."
            )
        scopes = _narrowed(known.scopes, scope)
        del self._refresh[refresh_token]
        fresh = replace(known, ends=self._after(REFRESH_SECONDS), count=known.count + 1)
        return self._issue(client_id, scopes) | self._issue_refresh(fresh)

    def revoke(self, client_id: str, token: str) -> None:
        """Ends a refresh token; USPS revokes no others. Raises `OAuthRefusal`."""
        known = self._refresh.get(token)
        if known is None or known.client_id != client_id:
            raise OAuthRefusal("invalid_request", "Simulated: no such refresh token.")
        del self._refresh[token]

    def _issue(self, client_id: str, scopes: frozenset[str]) -> dict[str, Any]:
        now = self._clock.now()
        token = self._access_token(client_id, scopes, now)
        _keep(self._access, token, _Access(client_id, scopes, self._after(ACCESS_SECONDS)))
        return {
            "access_token": token,
            "token_type": "Bearer",
            "issued_at": int(now.timestamp() * 1000),
            "expires_in": ACCESS_SECONDS,
            "status": "approved",
            "scope": " ".join(sorted(scopes)),
            "issuer": "api.usps.com",
            "client_id": client_id,
            "application_name": "Simulated Shipper",
            "api_products": "[Simulated Shipper]",
            "public_key": base64.b64encode(b"simulated").decode(),
        }

    def _issue_refresh(self, fresh: _Refresh) -> dict[str, Any]:
        token = self._text(32)
        _keep(self._refresh, token, fresh)
        return {
            "refresh_token": token,
            "refresh_token_issued_at": int(self._clock.now().timestamp() * 1000),
            "refresh_token_expires_in": REFRESH_SECONDS,
            "refresh_token_status": "approved",
            "refresh_count": fresh.count,
        }

    def _access_token(self, client_id: str, scopes: frozenset[str], now: datetime) -> str:
        """In the shape of a JSON Web Token; its signature signs nothing."""
        claims = {
            "aud": " ".join(sorted(scopes)),
            "azp": client_id,
            "exp": int(now.timestamp()) + ACCESS_SECONDS,
            "jti": self._text(16),
        }
        parts = (orjson.dumps({"typ": "JWT", "alg": "RS256"}), orjson.dumps(claims))
        signature = self._choose.randbytes(64)
        return ".".join(
            base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature)
        )

    def _text(self, characters: int) -> str:
        return base64.urlsafe_b64encode(self._choose.randbytes(characters)).decode()[:characters]

    def _after(self, seconds: int) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)


def _keep(entries: dict[str, _Entry], name: str, entry: _Entry) -> None:
    entries[name] = entry
    if len(entries) > _REMEMBERED:
        del entries[next(iter(entries))]


def _narrowed(scopes: frozenset[str], asked: str | None) -> frozenset[str]:
    """What is asked for of what there is; nothing asked: all."""
    if asked is None or not asked.strip():
        return scopes
    found = scopes & frozenset(asked.split())
    if not found:
        raise OAuthRefusal("invalid_scope", "Simulated: none of these scopes is granted.")
    return found


def _unauthorized(reason: str, message: str) -> ApiRefusal:
    return ApiRefusal(UNAUTHORIZED, reason, f"Simulated: {message}.", parameter="Authorization")
