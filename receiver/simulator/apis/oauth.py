"""OAuth 3: tokens for a client, for a merchant who let it act, and their end."""

import base64
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.simulator.apis.answers import answer, body_of, of_oauth
from receiver.simulator.apis.bodies import RevokeRequest, TokenRequest, read_oauth
from receiver.simulator.apis.quota import Quota
from receiver.simulator.apis.refusals import ApiRefusal, OAuthRefusal
from receiver.simulator.apis.tokens import TokenBook

_BASIC = "basic "


class OAuthApi:
    """`/oauth2/v3`; what it refuses has the shape of RFC 6749."""

    def __init__(self, tokens: TokenBook, quota: Quota) -> None:
        self._tokens = tokens
        self._quota = quota

    def routes(self) -> Sequence[Route]:
        """Token, revoke, and the stand-in for a merchant's sign-in."""
        return [
            Route("/oauth2/v3/token", of_oauth(self._token), methods=["POST"]),
            Route("/oauth2/v3/revoke", of_oauth(self._revoke), methods=["POST"]),
            Route("/oauth2/v3/authorize", of_oauth(self._authorize), methods=["GET"]),
        ]

    async def _token(self, request: Request) -> Response:
        asked = read_oauth(TokenRequest, await _body(request), _content_type(request))
        self._tokens.check_client(asked.client_id, asked.client_secret.get_secret_value())
        self._quota.take(asked.client_id)
        return answer(self._granted(asked), headers={"Cache-Control": "no-store"})

    def _granted(self, asked: TokenRequest) -> dict[str, Any]:
        given = asked.model_dump(exclude_none=True).keys()
        match asked.grant_type:
            case "client_credentials":
                _only(given)
                return self._tokens.by_credentials(asked.client_id, asked.scope)
            case "authorization_code":
                _only(given, "code", "redirect_uri")
                code, redirect_uri = asked.code or "", asked.redirect_uri or ""
                return self._tokens.by_code(asked.client_id, code, redirect_uri, asked.scope)
            case "refresh_token":
                _only(given, "refresh_token")
                token = asked.refresh_token or ""
                return self._tokens.by_refresh(asked.client_id, token, asked.scope)
        raise OAuthRefusal("unsupported_grant_type", "Simulated: no such grant type.")

    async def _revoke(self, request: Request) -> Response:
        client_id, client_secret = _basic(request.headers.get("authorization", ""))
        self._tokens.check_client(client_id, client_secret)
        self._quota.take(client_id)
        asked = read_oauth(RevokeRequest, await _body(request), _content_type(request))
        self._tokens.revoke(client_id, asked.token)
        return Response(status_code=200)

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("response_type") != "code" or not asked.get("redirect_uri"):
            raise OAuthRefusal("invalid_request", "Simulated: response_type and redirect_uri.")
        if "client_id" not in asked:
            raise OAuthRefusal("invalid_request", "Simulated: client_id.")
        told = {"code": self._tokens.authorize(asked["client_id"], asked["redirect_uri"])}
        return answer(told | ({"state": asked["state"]} if "state" in asked else {}))


def _only(given: Any, *needed: str) -> None:  # noqa: ANN401 -- a view of keys has no public name
    """Raises `OAuthRefusal` unless exactly what the grant needs is given."""
    extra = set(given) - {"grant_type", "client_id", "client_secret", "scope"}
    if extra != set(needed):
        names = ", ".join(needed) or "nothing"
        raise OAuthRefusal("invalid_request", f"Simulated: this grant needs {names} more.")


async def _body(request: Request) -> bytes:
    try:
        return await body_of(request)
    except ApiRefusal as refusal:
        raise OAuthRefusal("invalid_request", refusal.detail) from None


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "")


def _basic(authorization: str) -> tuple[str, str]:
    """Client id and secret of a header; empty ones for a header that has none."""
    if not authorization.lower().startswith(_BASIC):
        return "", ""
    try:
        text = base64.b64decode(authorization[len(_BASIC) :], validate=True).decode()
    except ValueError:
        return "", ""
    client_id, _, client_secret = text.partition(":")
    return client_id, client_secret
