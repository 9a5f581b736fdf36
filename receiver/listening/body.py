"""Reading a request's body within bounds."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from receiver.listening.answers import Message, Receive
from receiver.listening.framing import MAX_LENGTH_DIGITS
from schemas.errors import CallbackRejected

# After a refusal the rest of a body is read away for a while: a client that is still sending
# would otherwise see its connection reset and never the answer.
DISCARD_SECONDS: Final = 2.0
DISCARD_BYTES: Final = 16 * 1024 * 1024


class ClientGone(Exception):
    """The client left before its request was complete: nobody waits for an answer."""


async def read_body(
    receive: Receive, headers: Iterable[tuple[bytes, bytes]], max_bytes: int
) -> bytes:
    """The whole body. How long it may take is the protocol's business.

    Raises:
        CallbackRejected: `body_too_large`, at once where Content-Length says so.
        ClientGone: the client disconnected.
    """
    if _announced_bytes(headers) > max_bytes:
        raise CallbackRejected("body_too_large")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) <= max_bytes:
            return body
    return await _collect(message, receive, max_bytes)


async def discard_body(receive: Receive) -> None:
    """Reads away what still comes, within bounds."""
    left = DISCARD_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))


def _announced_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) <= MAX_LENGTH_DIGITS else 0
    return 0


async def _collect(message: Message, receive: Receive, max_bytes: int) -> bytes:
    collected = bytearray()
    while message["type"] == "http.request":
        collected += message.get("body", b"")
        if len(collected) > max_bytes:
            raise CallbackRejected("body_too_large")
        if not message.get("more_body", False):
            return bytes(collected)
        message = await receive()
    raise ClientGone
