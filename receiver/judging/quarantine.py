"""Requests set aside as they came, within caps where anyone can cause them."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

import orjson

from receiver.publishing.door import Door, OutgoingRecord, publish
from schemas.clock import Clock
from schemas.headers import record_headers
from schemas.metrics import ReceiverMetrics
from schemas.records import CloudEventType, QuarantineReason
from schemas.registry.scheme_fields import CREDENTIAL_HEADERS

SOURCE: Final = "scanwire/receiver"
# No subscription that we know has a longer id; the body has it whole.
MAX_ID_CHARACTERS: Final = 500
WINDOW_SECONDS: Final = 60.0
# One subscription may have kept a quarter of what is still free, if not more than its cap.
_SHARES: Final = 4

Headers = Sequence[tuple[bytes, bytes]]


class ReceivedRequest(NamedTuple):
    """A request as it came; `received_at` is `received` as records have it."""

    body: bytes
    headers: Headers
    remote_address: str | None
    received: datetime
    received_at: str


class MinuteCaps:
    """How many refused requests are kept per minute: per subscription, and in all.

    The less room there is, the fewer of one subscription are kept, so that no few of them push
    out the others. Ids that nobody declared share half of the whole, so that a flood of them
    leaves room for what concerns real subscriptions. What is remembered is bounded by the whole.
    """

    def __init__(self, clock: Clock, per_subscription: int, in_all: int) -> None:
        self._clock = clock
        self._per_subscription = per_subscription
        self._in_all = in_all
        self._window = float("-inf")
        self._by_id: Counter[str] = Counter()
        self._total = 0
        self._unknown = 0

    def take(self, subscription_id: str, *, known: bool) -> bool:
        """True, and counted, if one more may be kept."""
        now = self._clock.monotonic()
        if now - self._window >= WINDOW_SECONDS:
            self._window, self._total, self._unknown = now, 0, 0
            self._by_id.clear()
        room = self._in_all - self._total
        if not room or self._by_id[subscription_id] >= self._most(room):
            return False
        if not known and self._unknown >= max(1, self._in_all // 2):
            return False
        self._by_id[subscription_id] += 1
        self._total += 1
        self._unknown += not known
        return True

    def _most(self, room: int) -> int:
        return min(self._per_subscription, max(1, room // _SHARES))


class Quarantine:
    """Writes to `usps.quarantine.v1`."""

    def __init__(self, door: Door, topic: str, caps: MinuteCaps, metrics: ReceiverMetrics) -> None:
        self._door = door
        self._topic = topic
        self._caps = caps
        self._metrics = metrics

    async def refuse(
        self,
        request: ReceivedRequest,
        reason: QuarantineReason,
        subscription_id: str,
        *,
        known: bool,
    ) -> None:
        """Keeps a request that is answered with 401, unless too many were kept of late.

        Raises `PublishFailed` if it is due and cannot be written.
        """
        cut = subscription_id[:MAX_ID_CHARACTERS]
        if not self._caps.take(cut, known=known):
            self._metrics.quarantine_capped.labels(reason.value).inc()
            return
        await self._keep(request, reason, cut, accepted=False, update_id=None)

    async def accept(
        self,
        request: ReceivedRequest,
        reason: QuarantineReason,
        subscription_id: str,
        update_id: str,
    ) -> None:
        """Keeps a verified callback, always: it is answered 200. Raises `PublishFailed`."""
        await self._keep(request, reason, subscription_id, accepted=True, update_id=update_id)

    async def _keep(
        self,
        request: ReceivedRequest,
        reason: QuarantineReason,
        subscription_id: str,
        *,
        accepted: bool,
        update_id: str | None,
    ) -> None:
        value = orjson.dumps(
            {
                "reason": reason.value,
                "received_at": request.received_at,
                "subscription_id": subscription_id,
                "remote_address": request.remote_address,
                "headers": readable_headers(request.headers),
                "body_base64": b64encode(request.body).decode(),
                "accepted": accepted,
                "update_id": update_id,
            }
        )
        headers = record_headers(
            update_id or uuid4().hex, CloudEventType.QUARANTINE, SOURCE, request.received_at, None
        )
        record = OutgoingRecord(self._topic, subscription_id.encode(), value, headers)
        await publish(self._door, record)
        self._metrics.quarantined.labels(reason.value).inc()


def readable_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """As text, those of one name joined, without those that carry credentials."""
    readable: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in CREDENTIAL_HEADERS:
            readable[name] = f"{readable[name]}, {value}" if name in readable else value
    return readable
