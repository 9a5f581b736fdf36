"""Why the listener ends a connection: a closed set, and what each client is told before.

What is not HTTP has no slug of its own in the contract; `not_json` is the nearest.
"""

from typing import Final, NamedTuple

from receiver.listening.answers import (
    BODY_TOO_LARGE,
    CLOSE,
    REFUSALS,
    RETRY_AFTER,
    TOO_SLOW,
    UNAVAILABLE,
    Answer,
    refusal,
)


class Parting(NamedTuple):
    """The end of a connection.

    Attributes:
        reason: Label of the metric and field of the log line.
        answer: What is told where a request may still be answered; None: it is only closed.
    """

    reason: str
    answer: Answer | None = None


def _not_http(status: int, detail: str) -> Answer:
    return refusal("not_json", status, detail, CLOSE)


def _closing(slug: str, status: int, detail: str) -> Answer:
    return refusal(slug, status, detail, CLOSE)


def _overloaded(detail: str) -> Answer:
    return refusal(UNAVAILABLE, 503, detail, RETRY_AFTER, CLOSE)


TOO_MANY: Final = Parting("too_many_connections")
TOO_MANY_FROM_ADDRESS: Final = Parting("too_many_from_address")
ADDRESS_NOT_ALLOWED: Final = Parting("address_not_allowed")
# Behind a proxy the connection is the proxy's; who is not allowed sees nothing of the listener.
FORWARDED_NOT_ALLOWED: Final = Parting(
    "address_not_allowed", _closing("not_found", 404, "There is nothing at this path.")
)
SILENT: Final = Parting("silent")
HEADERS_LATE: Final = Parting("headers_late", REFUSALS[TOO_SLOW])
BODY_LATE: Final = Parting("body_late", REFUSALS[TOO_SLOW])
ANSWER_NOT_READ: Final = Parting("answer_not_read")
NOT_HTTP: Final = Parting("not_http", _not_http(400, "The request is not well-formed HTTP/1.1."))
HEADERS_TOO_LARGE: Final = Parting(
    "headers_too_large", _not_http(431, "The request's headers are too large.")
)
TARGET_TOO_LONG: Final = Parting(
    "target_too_long", _not_http(414, "The request's address is too long.")
)
TUNNEL: Final = Parting(
    "not_http",
    refusal("method_not_allowed", 405, "Use POST.", (b"allow", b"GET, HEAD, POST"), CLOSE),
)
BODY_OVER_LIMIT: Final = Parting("body_too_large", REFUSALS[BODY_TOO_LARGE])
PIPELINE_TOO_LONG: Final = Parting(
    "pipeline_too_long", _overloaded("Too many requests wait on this connection; repeat it.")
)
TOO_MUCH_ARRIVING: Final = Parting(
    "too_much_arriving", _overloaded("Too many requests are arriving slowly; repeat it.")
)
FAILED: Final = Parting("failed", _overloaded("The request cannot be read now; repeat it."))
