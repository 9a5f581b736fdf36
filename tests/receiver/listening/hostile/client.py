"""A client that goes on whatever it is told, and what may come back to it."""

import asyncio
from typing import Final

from receiver.listening.answers import ANSWERS
from tests.receiver.public_port import Site, answers

TRICKLE_SECONDS: Final = 0.01
HURRY: Final = {
    "header_timeout_seconds": "0.3",
    "body_timeout_seconds": "0.3",
    "silence_timeout_seconds": "0.3",
    "idle_timeout_seconds": "0.3",
    "publish_timeout_seconds": "4",
    "quarantine_per_minute": "1000000",
    "quarantine_per_subscription_per_minute": "1000000",
}


async def converse(place: Site, pieces: tuple[bytes, ...], *, says_end: bool = False) -> bytes:
    """All that comes back; the client goes on sending until it is closed or has said all.

    Empty too where the server closed while the client was sending, which resets a connection.
    """
    reader, writer = await place.connect()
    answer = asyncio.create_task(reader.read())
    for piece in pieces:
        if answer.done() or writer.transport.is_closing():
            break
        writer.write(piece)
        await asyncio.sleep(TRICKLE_SECONDS if len(pieces) > 1 else 0)
    try:
        if says_end and not writer.transport.is_closing():
            writer.write_eof()
        return await asyncio.wait_for(answer, 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def statuses(received: bytes) -> list[int]:
    """Of each answer. Every one is whole and JSON, and a refusal has a slug of the contract."""
    found: list[int] = []
    for status, told in answers(received):
        assert status == 100 or isinstance(told, dict), told
        if status > 200:
            assert set(told) == {"error", "detail"}
            assert told["error"] in ANSWERS
        found.append(status)
    return found
