"""One request and its answer, within limits of time and size, and no redirect followed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

from receiver.usps.errors import UspsUnavailable

CONNECT_SECONDS: Final = 10.0
TOTAL_SECONDS: Final = 60.0
CONNECTIONS: Final = 8
# 35 pieces of 99 events of half a kilobyte are below 2 MiB.
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class UspsRequest:
    """`label` says in errors what was asked, since the URL may name a piece."""

    method: str
    url: str
    label: str
    params: Mapping[str, str] | None = None
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class UspsResponse:
    """An answer, whole. `headers` are found in any case; the body is in no text of this."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 -- any JSON value
        """The body's JSON value. Raises `UspsUnavailable` (`answer_unreadable`)."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise UspsUnavailable(
                "answer_unreadable",
                f"USPS answered {self.status} with something that is not JSON; a proxy between?",
                status=self.status,
            ) from None


def usps_session() -> aiohttp.ClientSession:
    """A session for `UspsHttp`, to be closed by whom it is given to. Needs a running loop."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


async def exchange(session: aiohttp.ClientSession, request: UspsRequest) -> UspsResponse:
    """Sends it once. Raises `UspsUnavailable` when there is no whole answer in time."""
    body = None if request.json is None else orjson.dumps(request.json)
    headers = {"Accept": "application/json", **request.headers}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        async with session.request(
            request.method,
            request.url,
            params=request.params,
            data=body,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            return UspsResponse(answer.status, answer.headers, await _read(answer, request.label))
    except TimeoutError:
        raise UspsUnavailable(
            "timed_out", f"USPS did not answer in time ({request.label})"
        ) from None
    # aiohttp raises ValueError for an answer that breaks HTTP in some ways.
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UspsUnavailable(
            "no_answer", f"USPS could not be asked: {request.label} ({type(error).__name__})"
        ) from None


async def _read(answer: aiohttp.ClientResponse, label: str) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise UspsUnavailable(
                "answer_too_large",
                f"USPS's answer is larger than {MAX_ANSWER_BYTES} bytes ({label})",
                status=answer.status,
            )
    return bytes(body)
