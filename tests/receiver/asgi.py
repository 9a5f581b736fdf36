"""A tiny ASGI client: one request in, one answer out, no server between."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from receiver.listening.app import Application


class Answered(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return orjson.loads(self.body)


async def request(
    app: Application,
    method: str = "POST",
    path: str = "/usps/tracking",
    headers: Sequence[tuple[bytes, bytes]] = (),
    pieces: Sequence[bytes | None] = (b"",),
) -> Answered | None:
    """Sends the body piece by piece; a piece None: the client leaves. None: no answer."""
    to_come = list(pieces)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not to_come:
            await asyncio.Event().wait()  # as a client that sends no more
        piece = to_come.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(to_come)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": list(headers),
        "client": ("192.0.2.7", 40000),
        "server": ("127.0.0.1", 8080),
    }
    await app(scope, receive, send)
    if not sent:
        return None
    start, *bodies = sent
    assert not bodies[-1].get("more_body", False)
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in bodies)
    assert int(named["content-length"]) == len(body) or method == "HEAD"
    return Answered(start["status"], named, body)
