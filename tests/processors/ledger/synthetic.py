"""A synthetic run: records as the programs write them, folded into books."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka.structs import ConsumerRecord, TopicPartition

from processors.ledger.books import Books, DestinationBook
from processors.ledger.equations import Equation, equations_of
from processors.ledger.fold import Folder, Range

RECEIVED = "2026-05-14T15:42:09.318Z"
ORDERS = "acme-orders"


def event_id(number: int) -> str:
    """An event id of 32 hex digits."""
    return f"{number:032x}"


def event(number: int, *, received_at: str = RECEIVED, again: bool = False) -> dict[str, Any]:
    """What the ledger reads of an event."""
    return {
        "event_id": event_id(number),
        "tracking_number": "9205591234567800000011",
        "received_at": received_at,
        "new_evidence": again,
        "event_time": "2026-05-14T15:10:00Z",
        "event_local_time": "2026-05-14T08:10:00",
        "zip": "98099",
    }


@dataclass
class Run:
    """Topics in memory; `equations` folds them as the bookkeeper would."""

    topics: dict[str, list[dict[str, Any] | None]] = field(
        default_factory=lambda: defaultdict(list)
    )
    positions: dict[str, int] = field(default_factory=dict)
    answered: set[bytes] | None = None

    def add(self, topic: str, value: dict[str, Any] | None) -> None:
        """Appends a record."""
        self.topics[topic].append(value)

    def update(self, number: int, events: Sequence[int], **changes: Any) -> None:
        """An update with these events."""
        told = [event(one) for one in events]
        self.add(
            "updates",
            {"update_id": event_id(number), "received_at": RECEIVED, "events": told} | changes,
        )

    def decision(self, number: int, cause: str = "first", **allowed: bool) -> None:
        """A judgement: which parties may see the event."""
        parties: list[dict[str, Any]] = [
            {"merchant": merchant, "allowed": may} for merchant, may in allowed.items()
        ]
        self.add(
            "decisions",
            {
                "event_id": event_id(number),
                "received_at": RECEIVED,
                "cause": cause,
                "parties": parties or [{"merchant": None, "allowed": False}],
            },
        )

    def withheld(self, number: int, merchant: str | None) -> None:
        """An entry of what waits."""
        self.add("withheld", {"event": event(number), "merchant": merchant, "reason": "x"})

    def released(self, number: int, merchant: str | None) -> None:
        """The end of an entry."""
        self.add("withheld", {"released": event_id(number), "merchant": merchant})

    def delivery(self, number: int | None, outcome: str = "accepted", **changes: Any) -> None:
        """A settled delivery of acme-orders."""
        self.add(
            "deliveries",
            {
                "destination": ORDERS,
                "event_id": None if number is None else event_id(number),
                "topic": "sent",
                "partition": 0,
                "offset": 0,
                "outcome": outcome,
                "lost_through": None,
            }
            | changes,
        )

    def dead_letter(self, destination: str, topic: str, offset: int) -> None:
        """A record that was given up."""
        self.add(
            "dead_letters",
            {
                "destination": destination,
                "topic": topic,
                "partition": 0,
                "offset": offset,
                "event": None,
            },
        )

    def books(self, period: Range | None = None) -> Books:
        """Folds every topic; `positions` says how far a reader is (default: all)."""
        books = Books(answered=self.answered, updates_whole=period is None)
        books.sent["acme"] = set()
        orders = books.destinations[ORDERS] = DestinationBook(ORDERS, "acme")
        folder = Folder(books, period or Range())
        for record in self._records("dead_letters"):
            folder.dead_letter(record)
        for record in self._records("scan_events"):
            folder.scan_event(record, read_by_router=self._past("router", record))
        for record in self._records("packages"):
            folder.package(record)
        for record in self._records("updates"):
            folder.update(record, read_by_packages=self._past("packages", record))
        for record in self._records("quarantine"):
            folder.quarantined(record)
        for record in self._records("decisions"):
            folder.decision(record)
        for record in self._records("withheld"):
            folder.withheld(record)
        for record in self._records("deliveries"):
            folder.delivery(record)
        for record in self._records("sent"):
            folder.merchant_record(record, "acme", [(orders, self._past(ORDERS, record))])
        return books

    def equations(self, period: Range | None = None) -> dict[str, Equation]:
        """The equations by name."""
        return {equation.name: equation for equation in equations_of(self.books(period))}

    def wrong(self) -> dict[str, dict[str, list[str]]]:
        """What is wrong, by equation and kind, as ids."""
        return {
            name: {kind: sorted(one.hex() for one in ids) for kind, ids in found.wrong.items()}
            for name, found in self.equations().items()
            if not found.holds
        }

    def _past(self, reader: str, record: ConsumerRecord) -> bool:
        return bool(record.offset < self.positions.get(reader, 1_000))

    def _records(self, topic: str) -> list[ConsumerRecord]:
        place = TopicPartition(topic, 0)
        return [
            ConsumerRecord(
                topic=place.topic,
                partition=place.partition,
                offset=offset,
                timestamp=0,
                timestamp_type=0,
                key=b"",
                value=None if value is None else orjson.dumps(value),
                checksum=None,
                serialized_key_size=0,
                serialized_value_size=0,
                headers=(),
            )
            for offset, value in enumerate(self.topics[topic])
        ]


def good_run() -> Run:
    """Two events: acme is allowed one and gets it, the other waits for its terms."""
    run = Run()
    run.update(100, [1])
    run.update(101, [1, 2])
    for number in (1, 2):
        run.add("scan_events", event(number))
    run.decision(1, acme=True)
    run.decision(2, acme=False)
    run.withheld(2, "acme")
    run.add("sent", event(1))
    run.delivery(1)
    return run
