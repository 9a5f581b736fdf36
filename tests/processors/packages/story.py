"""Tells the story of a number: scans, updates with them, and what packages makes of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from processors.packages.state import Folded, fold
from schemas.event import FeedEvent, ScanEvent, event_id, stated_minute, stated_place
from schemas.package import PackageState
from schemas.update import TrackingUpdate
from schemas.usps.codes import facts_of

NUMBER = "9205591234567800000011"
MID = "912345678"
OTHER_MID = "123456"

Scan = dict[str, Any]
Update = dict[str, Any]


def scan(
    code: str,
    local: str | None = None,
    *,
    gmt: str | None = None,
    zip_code: str | None = "10001",
    city: str | None = "NEW YORK",
    text: str | None = None,
    reason: str | None = None,
    number: str = NUMBER,
) -> Scan:
    """A scan as a feed states it. `local`: day, minute or second; `gmt`: the instant, if known."""
    precision = {0: "none", 10: "day", 16: "minute", 19: "second"}[len(local or "")]
    found: Scan = {
        "event_id": "",
        "tracking_number": number,
        "mail_kind": "package",
        "event_code": code,
        "event_text": text or facts_of(code).name or code,
        "category": facts_of(code).category.value,
        "event_time": gmt,
        "event_local_time": local,
        "utc_offset": None,
        "time_precision": precision,
        "time_basis": "none" if gmt is None else "gmt_field",
        "city": city,
        "state": None,
        "zip": zip_code,
        "country": None,
        "facility": None,
        "attributes": {} if reason is None else {"reason_code": reason},
        "flags": [],
    }
    found["event_id"] = event_id(number, code, stated_minute(found), stated_place(found))
    return found


def update(
    *scans: Scan,
    at: str = "2026-11-02T00:00:00.000Z",
    channel: str = "webhook",
    mid: str | None = MID,
    subscription: str | None = "acme-webhook",
    expected: dict[str, Any] | None = None,
    reported_at: str | None = None,
) -> Update:
    """A tracking update with this history, received at `at`."""
    source = {"webhook": "subscription", "api": None}.get(channel, "feed") if mid else None
    told = {
        "mid": mid,
        "mid_source": source,
        "channel": channel,
        "subscription_id": subscription if channel == "webhook" else None,
        "received_at": at,
    }
    number = scans[0]["tracking_number"] if scans else NUMBER
    return {
        "update_id": event_id(number, at, channel, mid or ""),
        "tracking_number": number,
        **told,
        "reported_at": reported_at,
        "barcode": {"kind": "impb", "mid": None, "mid_status": "exact", "check_digit_ok": True},
        "flags": [],
        "package": {"delivery_date_expectation": expected},
        "events": [{**one, **told} for one in scans],
        "original": "{}",
    }


class Story:
    """The state of one number, as it grows; every record made is held against its model."""

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None
        self.published: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()

    def tell(self, told: Update) -> list[dict[str, Any]]:
        """What is published of it."""
        TrackingUpdate.model_validate(told)
        folded = self._fold(told)
        if folded.state is not None:
            self.state = same_as_model(PackageState, folded.state)
            assert self.state["event_ids"] == [one["event_id"] for one in self.state["events"]]
        events = [same_as_model(ScanEvent, event) for event in folded.events]
        self.published += events
        self.counts += Counter(folded.counts)
        return events

    def _fold(self, told: Update) -> Folded:
        before = orjson.dumps(self.state)
        folded = fold(self.state, orjson.loads(orjson.dumps(told)))
        assert orjson.dumps(self.state) == before, "the state before was changed"
        return folded

    @property
    def category(self) -> str | None:
        """Of the package now."""
        return None if self.state is None else self.state["category"]

    def of(self, name: str) -> list[Any]:
        """One field of everything published."""
        return [event[name] for event in self.published]


def same_as_model(model: type[ScanEvent | PackageState | FeedEvent], record: Any) -> dict[str, Any]:
    """The record as JSON has it, when it says exactly what its model says of it."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(record))
    assert model.model_validate(found).model_dump(mode="json") == found
    return found


def told(*updates: Update) -> Story:
    """A story of several updates."""
    story = Story()
    for one in updates:
        story.tell(one)
    return story


def journey(day: str = "2026-11-01") -> Sequence[Scan]:
    """A label, an acceptance, three facilities, a van, a door."""
    return [
        scan("GX", f"{day}T08:00", zip_code="78701", city="AUSTIN"),
        scan("03", f"{day}T10:00", zip_code="78701", city="AUSTIN"),
        scan("10", f"{day}T15:00", zip_code="78710", city="AUSTIN"),
        scan("10", f"{day}T20:00", zip_code="10199", city="NEW YORK"),
        scan("07", f"{day}T21:00"),
        scan("OF", f"{day}T22:00"),
        scan("01", f"{day}T23:30"),
    ]
