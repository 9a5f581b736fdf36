"""From an answer that is an error to the exception that tells it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from receiver.usps.error_bodies import ToldError, read_error
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.exchange import UspsRequest, UspsResponse
from receiver.usps.redaction import redact, texts_in
from receiver.usps.timing import read_retry_after

RATE_LIMITED: Final = 429
_SERVER_FAULT: Final = 500
_REASONS: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    412: "precondition_failed",
    429: "rate_limited",
    503: "unavailable",
}


def refusal(
    request: UspsRequest, response: UspsResponse, now: datetime, secrets: Iterable[str] = ()
) -> UspsRefused:
    """The error, whatever the body holds. `secrets` are masked wherever they are repeated."""
    status = response.status
    told = read_error(response.body)
    kind = UspsUnavailable if is_for_later(status) else UspsRefused
    return kind(
        _REASONS.get(status, "unexpected_status"),
        _sentence(request, status, told, [*texts_in(request.json), *secrets]),
        status=status,
        codes=told.codes,
        said=told.text,
        retry_after_seconds=read_retry_after(response.headers.get("Retry-After"), now),
    )


def is_for_later(status: int) -> bool:
    """Whether the same call may be answered well another time."""
    return status == RATE_LIMITED or status >= _SERVER_FAULT


def _sentence(request: UspsRequest, status: int, told: ToldError, sent: Iterable[str]) -> str:
    said = redact(told.text, sent)
    return f"USPS refused {request.label} with {status}{': ' if said else ''}{said}"
