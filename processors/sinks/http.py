"""`kind: http`: a merchant's endpoint, called as Standard Webhooks says.

`POST` with the event as JSON and its id in `webhook-id`; 2xx is accepted. 410 disables the
destination. 429 and 503 may say `Retry-After`. Redirects are not followed. Private addresses
are refused unless the destination allows them.
"""

import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import ClassVar, Final

import orjson
import structlog

from processors.sinks.base import (
    AttemptResult,
    Outcome,
    Sink,
    SinkEvent,
    SinkTools,
    SinkUnusable,
)
from processors.sinks.http_client import HttpClient
from processors.sinks.http_connection import HttpFailed
from processors.sinks.signature import signature, signing_key
from schemas.clock import Clock
from schemas.headers import OUT_OF_ORDER
from schemas.registry.destinations import HttpDestination
from schemas.secrets import Secrets, SecretUnavailable

log = structlog.get_logger(__name__)
GONE: Final = 410
TOO_MANY_REQUESTS: Final = 429
SERVICE_UNAVAILABLE: Final = 503
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_SLUG: Final = re.compile(rb"[a-z_-]{1,50}")
# What a destination's own headers may not be: they are the request's frame, or ours.
_OWN_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "expect"}
    | {"webhook-id", "webhook-timestamp", "webhook-signature", "upgrade", "te", OUT_OF_ORDER}
)


class HttpSink(Sink):
    """One request per event; several at a time, over kept connections."""

    kind: ClassVar[str] = "http"

    def __init__(self, destination: HttpDestination, tools: SinkTools) -> None:
        self._destination = destination
        self._secrets = tools.secrets
        self._clock = tools.clock
        self._keys: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._client: HttpClient | None = None

    @property
    def max_in_flight(self) -> int:
        """As declared."""
        return self._destination.max_in_flight

    async def open(self) -> None:
        """Resolves the secrets. Raises `SinkUnusable` or `SecretUnavailable`."""
        self._resolve()
        self._client = HttpClient(
            self._destination.url,
            timeout_seconds=self._destination.timeout_seconds,
            allow_private_addresses=self._destination.allow_private_addresses,
        )

    def refresh(self) -> None:
        """Signs with the new secrets from now on; unusable ones change nothing."""
        try:
            self._resolve()
        except (SinkUnusable, SecretUnavailable) as error:
            log.error(
                "secret_refresh_failed", destination=self._destination.id, reason=error.reason
            )

    async def close(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def deliver(self, events: Sequence[SinkEvent]) -> Sequence[AttemptResult]:
        """Each event is a request of its own."""
        return [await self._post(event) for event in events]

    async def _post(self, event: SinkEvent) -> AttemptResult:
        if self._client is None:
            raise RuntimeError("the sink is not open")
        body = webhook_body(event)
        try:
            answer = await self._client.post(body, self._headers_of(event, body))
        except HttpFailed as error:
            return AttemptResult(Outcome.UNAVAILABLE, detail=error.reason)
        return classify(answer.status, answer.retry_after, self._clock)

    def _headers_of(self, event: SinkEvent, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._clock.now().timestamp()))
        headers = self._headers | {
            "content-type": "application/json",
            "webhook-id": event.event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._keys, event.event_id, timestamp, body),
        }
        for name, value in event.headers:
            if name == OUT_OF_ORDER and _SLUG.fullmatch(value):
                headers[name] = value.decode("ascii")
        return headers

    def _resolve(self) -> None:
        keys = _signing_keys(self._destination, self._secrets)
        self._headers = _own_headers(self._destination, self._secrets)
        self._keys = keys


def webhook_body(event: SinkEvent) -> bytes:
    """The request's body: the record's own bytes in a frame, the same for every attempt."""
    return orjson.dumps(
        {
            "type": f"usps.scan_event.{event.category}",
            "timestamp": event.received_at,
            "data": orjson.Fragment(event.value),
        }
    )


def classify(status: int, retry_after: str | None, clock: Clock) -> AttemptResult:
    """What an answer means (contract, section 6)."""
    if 200 <= status < 300:  # noqa: PLR2004 -- every 2xx
        return _ACCEPTED.get(status) or AttemptResult(Outcome.ACCEPTED, status)
    if status == GONE:
        return AttemptResult(Outcome.GONE, status)
    if status == TOO_MANY_REQUESTS or status >= 500:  # noqa: PLR2004 -- every 5xx
        wish = None
        if status in {TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE}:
            wish = seconds_of(retry_after, clock)
        return AttemptResult(Outcome.UNAVAILABLE, status, retry_after_seconds=wish)
    redirect = 300 <= status < 400  # noqa: PLR2004 -- every 3xx
    return AttemptResult(Outcome.REFUSED, status, "redirect_not_followed" if redirect else None)


_ACCEPTED: Final = {200: AttemptResult(Outcome.ACCEPTED, 200)}


def seconds_of(retry_after: str | None, clock: Clock) -> float | None:
    """A `Retry-After` in seconds: a count or a date; None where it is absent or neither."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max((at - clock.now()).total_seconds(), 0.0)


def _signing_keys(destination: HttpDestination, secrets: Secrets) -> list[bytes]:
    """Of every secret that can be resolved. Raises if none can, or one is malformed."""
    keys: list[bytes] = []
    missing: SecretUnavailable | None = None
    for reference in destination.signing_secrets:
        try:
            keys.append(signing_key(secrets.resolve(reference)))
        except SecretUnavailable as error:
            log.warning("secret_unavailable", destination=destination.id, detail=error.detail)
            missing = error
    if not keys and missing is not None:
        raise missing
    return keys


def _own_headers(destination: HttpDestination, secrets: Secrets) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, reference in destination.headers.items():
        lower = name.lower()
        if lower in _OWN_HEADERS or _HEADER_NAME.fullmatch(lower) is None:
            raise SinkUnusable("header_not_allowed", f"{name[:100]!r} cannot be a header here")
        value = secrets.resolve(reference).get_secret_value()
        if _HEADER_VALUE.fullmatch(value) is None:
            raise SinkUnusable("header_malformed", f"the value of {name} is no header value")
        headers[lower] = value
    return headers
