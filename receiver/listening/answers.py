"""The listener's answers (contract, section 4): made once, sent as they are."""

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# How long USPS is asked to wait before it repeats a callback that could not be kept.
RETRY_AFTER_SECONDS: Final = 5
ACCEPTED: Final = "accepted"
UNAVAILABLE: Final = "unavailable"
TOO_SLOW: Final = "too_slow"
CHALLENGE_ANSWERED: Final = "challenge_answered"
BODY_TOO_LARGE: Final = "body_too_large"


class Answer(NamedTuple):
    """An answer.

    Attributes:
        outcome: Its slug; `accepted` for a plain 200.
        start, body: Its two ASGI messages.
        status_line, rest: The same as bytes on the wire; the server's own headers go between.
    """

    outcome: str
    start: Message
    body: Message
    status_line: bytes
    rest: bytes


def _answer(outcome: str, status: int, content: object, *headers: tuple[bytes, bytes]) -> Answer:
    body = orjson.dumps(content)
    start_headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *headers,
    ]
    start = {"type": "http.response.start", "status": status, "headers": start_headers}
    lines = b"".join(b"%b: %b\r\n" % header for header in start_headers)
    return Answer(
        outcome,
        start,
        {"type": "http.response.body", "body": body},
        b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode()),
        b"%b\r\n%b" % (lines, body),
    )


def refusal(slug: str, status: int, detail: str, *headers: tuple[bytes, bytes]) -> Answer:
    """A refusal; `slug` is one of the contract's."""
    return _answer(slug, status, {"error": slug, "detail": detail}, *headers)


CLOSE: Final = (b"connection", b"close")
RETRY_AFTER: Final = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())

PROBE: Final = _answer("probe", 200, {"listening": True})

# A refusal says no more about a subscription than its slug.
REFUSALS: Final = {
    answer.outcome: answer
    for answer in (
        refusal("not_json", 400, "The body is not JSON."),
        refusal("not_an_envelope", 400, "The body is not a USPS tracking notification."),
        refusal("signature_missing", 401, "The signature header is missing."),
        refusal("signature_mismatch", 401, "The signature does not match."),
        refusal("unknown_subscription", 401, "The subscription is not known here."),
        refusal("timestamp_stale", 401, "The timestamp is too old or in the future."),
        refusal("not_found", 404, "There is nothing at this path."),
        refusal("method_not_allowed", 405, "Use POST.", (b"allow", b"GET, HEAD, POST")),
        refusal(TOO_SLOW, 408, "The request did not arrive in time.", CLOSE),
        refusal(BODY_TOO_LARGE, 413, "The body is too large.", CLOSE),
        refusal(UNAVAILABLE, 503, "The callback cannot be kept now; repeat it.", RETRY_AFTER),
    )
}

# USPS repeating what it signed itself and we cannot use would help nobody: 200, and quarantine.
_RECEIVED: Final = {"received": True}
RECEIPTS: Final = {
    outcome: _answer(outcome, 200, _RECEIVED)
    for outcome in (ACCEPTED, "payload_unreadable", "mid_contradiction", "record_too_large")
}
ANSWERS: Final = REFUSALS | RECEIPTS


def challenge_answer(challenge: str) -> Answer:
    """The same challenge back; the only answer that holds anything of the request."""
    return _answer(CHALLENGE_ANSWERED, 200, {"challenge": challenge})


async def send_answer(answer: Answer, send: Send) -> None:
    """Sends it over ASGI."""
    await send(answer.start)
    await send(answer.body)
