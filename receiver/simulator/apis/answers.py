"""Requests read and answers written: what the three APIs have in common."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from receiver.simulator.apis.bodies import LARGEST_BODY_BYTES
from receiver.simulator.apis.refusals import ApiRefusal, OAuthRefusal, bad_request

Endpoint = Callable[[Request], Awaitable[Response]]
_JSON: Final = "application/json"


def answer(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(document), status, headers, _JSON)


def of_api(api_version: str, endpoint: Endpoint, *, with_errors: bool) -> Endpoint:
    """The endpoint, with its refusals in the shape of the resource APIs."""

    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiRefusal as refusal:
            body = refusal.body(api_version, with_errors=with_errors)
            return answer(body, refusal.status, refusal.headers())

    return answering


def of_oauth(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with its refusals in OAuth's shape."""

    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiRefusal as refusal:
            error = OAuthRefusal.too_many(refusal)
        except OAuthRefusal as refused:
            error = refused
        return answer(error.body(), error.status, error.headers())

    return answering


async def body_of(request: Request) -> bytes:
    """The body, within bounds. Raises `ApiRefusal`: 400."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_BODY_BYTES:
                raise bad_request("the body is too large")
    except ClientDisconnect:
        raise bad_request("the body is incomplete") from None
    return bytes(body)


def json_of(request: Request) -> None:
    """Raises `ApiRefusal`: 400, unless the body is said to be JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != _JSON:
        raise bad_request("OASValidation: send application/json", "Content-Type")


def only_query(request: Request, *names: str) -> dict[str, Any]:
    """The query's parameters. Raises `ApiRefusal`: 400 for others, and for one given twice."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in names or name in found:
            raise bad_request("OASValidation: unknown or repeated query parameter", name[:50])
        found[name] = value
    return found
