"""What a simulated merchant knows of what it received, in bounded memory."""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from receiver.simulator.endings import RECIPIENTS
from receiver.simulator.latencies import Latencies
from schemas.clock import parse_rfc3339
from schemas.event import INTERNAL_FIELDS
from schemas.headers import OUT_OF_ORDER

# Of what is remembered to know a repeat or a wrong order: the latest so many.
REMEMBERED: Final = 200_000
# Deliveries that count as recent, for a screen that shows how things are now.
RECENT: Final = 500
# What no merchant may see: other parties' evidence, and people.
_FORBIDDEN_FIELDS: Final = frozenset(
    {*INTERNAL_FIELDS, "original", "recipient_name", "firm", "delivery_address"}
)
_FORBIDDEN_TEXTS: Final = tuple(name.encode() for name in RECIPIENTS)


class Received:
    """The deliveries of one endpoint.

    Args:
        keep_ids: Remember every event id, however many; for runs that are checked.
    """

    def __init__(self, *, keep_ids: bool) -> None:
        self._keep_ids = keep_ids
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._sequences: OrderedDict[str, int] = OrderedDict()
        self._latencies = Latencies()
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._counts: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()

    def refuse(self, reason: str) -> None:
        """A request whose signature does not fit, or that is no event."""
        self._refusals[reason] += 1

    def take(self, body: bytes, webhook: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """A verified delivery. Raises `KeyError`, `TypeError` or `ValueError`: it is no event."""
        event = webhook["data"]
        event_id, number, sequence = event["event_id"], event["tracking_number"], event["sequence"]
        received_at = parse_rfc3339(event["received_at"])
        if event_id != headers.get("webhook-id"):
            raise ValueError("the webhook id is not the event id")
        self._counts["verified"] += 1
        latency = (datetime.now(UTC) - received_at).total_seconds()
        self._latencies.add(latency)
        self._recent.append(latency)
        if _leaks(body, event):
            self._counts["leaks"] += 1
        if event_id in self._ids:
            self._counts["repeated"] += 1
            return
        self._remember(event_id)
        self._counts["distinct"] += 1
        self._categories[event["category"]] += 1
        if OUT_OF_ORDER in headers:
            self._counts["announced_out_of_order"] += 1
        elif sequence <= self._sequences.get(number, 0):
            self._counts["out_of_order"] += 1
        self._sequences[number] = max(sequence, self._sequences.pop(number, 0))
        if len(self._sequences) > REMEMBERED:
            self._sequences.popitem(last=False)

    def _remember(self, event_id: str) -> None:
        self._ids[event_id] = None
        if not self._keep_ids and len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    @property
    def event_ids(self) -> list[str]:
        """The ids received, without repeats."""
        return list(self._ids)

    def stats(self) -> dict[str, Any]:
        """Counts, and seconds from USPS's callback to here: of all and of the latest."""
        names = ("verified", "distinct", "repeated", "out_of_order", "leaks")
        return {
            **{name: self._counts[name] for name in names},
            "announced_out_of_order": self._counts["announced_out_of_order"],
            "refused": dict(self._refusals),
            "categories": dict(self._categories),
            "latency_seconds": _quantiles(self._latencies),
            "recent_latency_seconds": _quantiles(Latencies(self._recent)),
        }


def _quantiles(latencies: Latencies) -> dict[str, float | None]:
    return {"p50": latencies.quantile(0.5), "p99": latencies.quantile(0.99)}


def _leaks(body: bytes, event: Mapping[str, Any]) -> bool:
    fields = event.keys() | event.get("attributes", {}).keys()
    return not _FORBIDDEN_FIELDS.isdisjoint(fields) or any(
        text in body for text in _FORBIDDEN_TEXTS
    )
