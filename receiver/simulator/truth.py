"""What was sent, what was answered, and the truth behind it: so that a run can be checked.

A record is JSON Lines: `journey` lines (what happens to a number), `callback` lines (a request
and its last answer) and one `summary` at the end. No secret and no payload stands in it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from receiver.simulator.callbacks import history_ids, scan_id
from receiver.simulator.latencies import Latencies
from receiver.simulator.outgoing import Outgoing
from receiver.simulator.scans import Journey, Scan
from schemas.usps.codes import facts_of

NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a request. `status` 0: nothing, however often it was tried."""

    status: int
    slug: str
    attempts: int
    latency_seconds: float  # from when it was due, so that waiting counts


@dataclass(slots=True)
class Tally:
    """Counts of a run."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    oddities: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    unexpected: int = 0
    journeys: int = 0
    latencies: Latencies = field(default_factory=Latencies)


class Truth:
    """Keeps the tally and, if a file is given, writes the record."""

    def __init__(self, path: Path | None = None) -> None:
        self.tally = Tally()
        self._file = path.open("wb") if path is not None else None

    def __enter__(self) -> Self:
        """The record is open already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Writes the summary and closes the record."""
        if self._file is not None:
            self._write({"kind": "summary", **summary(self.tally)})
            self._file.close()

    def journey(self, journey: Journey) -> None:
        """A number and everything that happens under it."""
        self.tally.journeys += 1
        self.tally.oddities.update(oddity.value for oddity in journey.oddities)
        if self._file is not None:
            self._write(_journey_line(journey))

    def answered(self, request: Outgoing, answer: Answer) -> None:
        """A request is settled: answered for good, or given up."""
        tally = self.tally
        tally.sent += 1
        tally.answers[answer.slug] += 1
        tally.retried += answer.attempts - 1
        tally.latencies.add(answer.latency_seconds)
        if request.fault is not None:
            tally.faults[request.fault.value] += 1
        expected = answer.status == request.status and answer.slug == request.slug
        tally.unexpected += not expected
        if self._file is not None:
            self._write(_callback_line(request, answer, expected=expected))

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def summary(tally: Tally) -> dict[str, Any]:
    """The counts, and how long answers took."""
    return {
        "journeys": tally.journeys,
        "sent": tally.sent,
        "answers": dict(tally.answers),
        "unexpected": tally.unexpected,
        "retried": tally.retried,
        "faults": dict(tally.faults),
        "oddities": dict(tally.oddities),
        "latency_seconds": {
            name: tally.latencies.quantile(share)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        },
    }


def _callback_line(request: Outgoing, answer: Answer, *, expected: bool) -> dict[str, Any]:
    return {
        "kind": "callback",
        "tracking_number": request.tracking_number,
        "subscription_id": request.subscription_id,
        "timestamp": request.timestamp,
        "update_id": request.update_id,
        "event_ids": request.event_ids,
        "fault": request.fault,
        "becomes": request.becomes,
        "expected": {"status": request.status, "slug": request.slug},
        "status": answer.status,
        "slug": answer.slug,
        "as_expected": expected,
        "attempts": answer.attempts,
        "latency_seconds": round(answer.latency_seconds, 6),
    }


def _journey_line(journey: Journey) -> dict[str, Any]:
    number = journey.tracking_number
    return {
        "kind": "journey",
        "tracking_number": number,
        "sent_as": journey.sent_as,
        "mid": journey.shipper.mid or None,
        "oddities": sorted(journey.oddities),
        "pieces": [
            {
                "ending": leg.ending,
                "mail_class": leg.mail_class.code,
                "category": _category_at_end(leg.scans),
                "scans": _scan_lines(number, leg.scans),
            }
            for leg in journey.legs
        ],
    }


def _category_at_end(scans: Sequence[Scan]) -> str:
    """That of the last scan at which somebody handled the piece, by when it happened."""
    handled = [scan for scan in scans if facts_of(scan.code).physical]
    return facts_of(max(handled, key=lambda scan: scan.at).code).category.value


def _scan_lines(number: str, scans: Sequence[Scan]) -> list[dict[str, Any]]:
    ids = history_ids(number, scans, [scan_id(number, scan) for scan in scans])
    return [
        {
            "event_id": event_id,
            "event_code": scan.code,
            "at": f"{scan.at:%Y-%m-%dT%H:%M:%SZ}",
            "known_at": f"{scan.known_at:%Y-%m-%dT%H:%M:%SZ}",
            "zip": scan.place.zip if scan.place else None,
        }
        for event_id, scan in zip(ids, scans, strict=True)
    ]
