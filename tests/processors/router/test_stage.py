"""What a batch of scan events becomes: merchant records, decisions, withheld ones, dead letters."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from processors.consume import OutRecord
from processors.router.records import MerchantRecord
from processors.router.stage import RouterStage
from schemas.event import ScanEvent
from schemas.metrics import RouterMetrics
from schemas.records import DeadLetter, Decision, Withheld
from schemas.registry.entities import Entity
from schemas.registry.index import Registry
from schemas.registry.observed import ObservedToken
from schemas.topics import TopicNames
from tests.processors.router.events import RECEIVED, evidence, scan_event
from tests.schemas.registry.entities import MID, NUMBER, granted, merchant, owned, paid, token

NAMES = TopicNames("usps.")
NOW = datetime(2026, 6, 2, tzinfo=UTC)
AT = "2026-06-02T00:00:00.000Z"
ENTITIES: list[Entity] = [
    merchant("owner"),
    owned("owner"),
    paid("paying"),
    granted("paying", "p"),
    merchant("waiting", "service_provider"),
    granted("waiting", "w"),
]


class StandingClock:
    """It is always the same moment."""

    def now(self) -> datetime:
        """That moment."""
        return NOW

    def monotonic(self) -> float:
        """No time passes."""
        return 0.0


@dataclass
class Record:
    """A record of `scan-events`."""

    value: bytes | None
    offset: int = 0
    key: bytes = NUMBER.encode()
    topic: str = NAMES.scan_events
    partition: int = 4


@dataclass
class FakeWriter:
    """Merchants' topics in memory; some merchants' records are too large for them."""

    too_large: str = ""
    written: list[MerchantRecord] = field(default_factory=list)

    async def write(self, records: Sequence[MerchantRecord]) -> Sequence[MerchantRecord]:
        """Takes all but those that are too large."""
        refused = [one for one in records if one.merchant == self.too_large]
        self.written += [one for one in records if one.merchant != self.too_large]
        return refused


class World:
    """A stage with its registry, writer and metrics."""

    def __init__(self, entities: Sequence[Entity] = ENTITIES, too_large: str = "") -> None:
        self.writer = FakeWriter(too_large)
        self.metrics = CollectorRegistry()
        registry = self.registry = Registry(entities, revision=7)
        self.stage = RouterStage(
            NAMES, lambda: registry, self.writer, StandingClock(), RouterMetrics(self.metrics)
        )

    async def route(self, *values: dict[str, Any] | bytes | None) -> Sequence[OutRecord]:
        """What is to be written in the transaction for these records."""
        return await self.stage.transform(
            [
                Record(orjson.dumps(value) if isinstance(value, dict) else value, offset)
                for offset, value in enumerate(values)
            ]
        )

    def count(self, name: str, **labels: str) -> float:
        """A counter's value."""
        return self.metrics.get_sample_value(name, labels) or 0.0


def values(out: Sequence[OutRecord], topic: str) -> list[Any]:
    """The JSON of what goes to this topic."""
    return [orjson.loads(one.value or b"") for one in out if one.topic == topic]


async def test_every_party_considered_stands_in_the_decision() -> None:
    """With its grant or its reason, the revision and the evidence judged."""
    (decision,) = values(await World().route(scan_event()), NAMES.decisions)
    Decision.model_validate(decision)
    assert decision == {
        "event_id": scan_event()["event_id"],
        "tracking_number": NUMBER,
        "mid": MID,
        "channel": "webhook",
        "received_at": RECEIVED,
        "revision": 7,
        "decided_at": AT,
        "cause": "first",
        "parties": [
            {"merchant": "owner", "allowed": True, "grant": f"owner:{MID}"},
            {"merchant": "paying", "allowed": True, "grant": "p"},
            {"merchant": "waiting", "allowed": False, "reason": "ip_agreement_missing"},
        ],
    }


async def test_who_is_allowed_gets_the_event_without_other_parties_names() -> None:
    """As packages published it, but for the evidence; with the right on which it was sent."""
    world, event = World(), scan_event()
    await world.route(event)
    assert [one.merchant for one in world.writer.written] == ["owner", "paying"]
    for record, grant in zip(world.writer.written, (f"owner:{MID}", "p"), strict=True):
        sent = orjson.loads(record.value)
        ScanEvent.model_validate(sent)
        assert sent == {
            k: v for k, v in event.items() if not k.endswith("evidence") or k == "new_evidence"
        }
        headers = dict(record.headers)
        assert headers["scanwire-grant"] == grant.encode()
        assert headers["ce_id"] == event["event_id"].encode()
        assert headers["ce_subject"] == record.key == NUMBER.encode()
        assert headers["ce_type"] == b"usps.scan_event"
        assert headers["ce_source"] == b"scanwire/router"
        assert "scanwire-out-of-order" not in headers


async def test_derived_fields_are_null_for_who_may_not_have_all_evidence_of_the_piece() -> None:
    """The same event, two merchants, two values."""
    others = evidence("api", "123456")
    world = World([*ENTITIES, owned("paying", "123456")])
    piece = [evidence(), others]
    await world.route(scan_event(piece=piece))
    by_merchant = {one.merchant: orjson.loads(one.value) for one in world.writer.written}
    derived = ("package_category", "first_in_category", "expected_delivery")
    assert [by_merchant["owner"][name] for name in derived] == [None, None, None]
    assert [by_merchant["paying"][name] for name in derived] == ["delivered", True, "2026-06-01"]


async def test_who_is_not_allowed_has_a_withheld_record_with_the_whole_event() -> None:
    """Its evidence too: release will judge it again."""
    event = scan_event()
    (withheld,) = values(await World().route(event), NAMES.withheld)
    Withheld.model_validate(withheld)
    assert withheld == {
        "event": event,
        "merchant": "waiting",
        "reason": "ip_agreement_missing",
        "withheld_at": AT,
    }


async def test_what_concerns_nobody_is_withheld_from_nobody() -> None:
    """Merchant null, in the decision too."""
    out = await World().route(scan_event(evidence(mid="123456")))
    (withheld,) = values(out, NAMES.withheld)
    (decision,) = values(out, NAMES.decisions)
    assert (withheld["merchant"], withheld["reason"]) == (None, "unknown_mid")
    assert decision["parties"] == [{"merchant": None, "allowed": False, "reason": "unknown_mid"}]
    Decision.model_validate(decision)
    Withheld.model_validate(withheld)


async def test_new_evidence_says_that_it_may_come_after_newer_events() -> None:
    """A header, and the cause in the decision; the owner, who has it, is not named."""
    world = World([*ENTITIES[:2], paid("late"), granted("late", channels=["api"])])
    out = await world.route(scan_event(evidence("api"), before=(evidence(),)))
    (record,) = world.writer.written
    assert record.merchant == "late"
    assert dict(record.headers)["scanwire-out-of-order"] == b"new_evidence"
    (decision,) = values(out, NAMES.decisions)
    assert decision["cause"] == "new_evidence"
    assert [party["merchant"] for party in decision["parties"]] == ["late"]


async def test_outputs_stand_on_the_partition_of_their_input() -> None:
    """Under the piece's key, and with ids that a repeat after a crash has again."""
    first = await World().route(scan_event(), scan_event(sequence=2))
    again = await World().route(scan_event(), scan_event(sequence=2))
    assert {(one.partition, one.key) for one in first} == {(4, NUMBER.encode())}
    ids = [dict(one.headers)["ce_id"] for one in first]
    assert ids == [dict(one.headers)["ce_id"] for one in again]
    assert len(set(ids)) == len(ids)
    assert [one.source_offset for one in first] == [0, 0, 1, 1]


async def test_merchants_get_a_pieces_events_in_their_order() -> None:
    """As they stand in the batch."""
    world = World(ENTITIES[:2])
    await world.route(*(scan_event(sequence=sequence) for sequence in range(1, 6)))
    sent = [orjson.loads(one.value)["sequence"] for one in world.writer.written]
    assert sent == [1, 2, 3, 4, 5]


async def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on() -> None:
    """With its bytes and its position."""
    world = World()
    out = await world.route(scan_event(), b"no event", scan_event(sequence=2))
    (letter,) = values(out, NAMES.dead_letters)
    DeadLetter.model_validate(letter)
    assert (letter["destination"], letter["topic"]) == ("router", NAMES.scan_events)
    assert (letter["partition"], letter["offset"]) == (4, 1)
    assert base64.b64decode(letter["record_base64"]) == b"no event"
    assert len(values(out, NAMES.decisions)) == 2


async def test_what_a_merchants_topic_does_not_take_is_set_aside() -> None:
    """Visibly, and the other merchants have it."""
    world = World(too_large="paying")
    (letter,) = values(await world.route(scan_event()), NAMES.dead_letters)
    DeadLetter.model_validate(letter)
    assert (letter["reason"], letter["destination"]) == ("record_too_large", "router")
    assert (letter["topic"], letter["offset"]) == (NAMES.scan_events, 0)
    assert [one.merchant for one in world.writer.written] == ["owner"]


async def test_only_what_is_committed_is_counted() -> None:
    """An aborted batch comes again and would count twice."""
    world = World()
    await world.route(scan_event(), b"no event")
    world.stage.aborted()
    await world.route(scan_event(), b"no event")
    world.stage.committed()
    outcomes = {"allowed": 2.0, "ip_agreement_missing": 1.0, "dead_lettered": 1.0}
    for outcome, count in outcomes.items():
        assert world.count("usps_router_decisions_total", outcome=outcome) == count
    assert world.count("usps_router_events_total") == 2.0


async def test_a_decision_names_the_observed_token_that_it_used() -> None:
    """A token that was refreshed at USPS is not the registry's: both stand in the decision."""
    world = World(
        [
            *ENTITIES[:2],
            merchant("platform", "platform"),
            granted("platform", basis="merchant_access_token", reference="t"),
            token("platform", state="refresh_due"),
        ]
    )
    (before,) = values(await world.route(scan_event()), NAMES.decisions)
    assert "observed_tokens" not in before
    assert before["parties"][1]["reason"] == "token_inactive"
    seen = {"state": "active", "expires_at": "2027-01-01T00:00:00Z", "observed_at": AT}
    world.registry.observe_token("t", ObservedToken.model_validate(seen))
    (after,) = values(await world.route(scan_event()), NAMES.decisions)
    Decision.model_validate(after)
    assert after["parties"][1] == {"merchant": "platform", "allowed": True, "grant": "g"}
    assert after["observed_tokens"] == [
        {"token": "t", "state": "active", "expires_at": "2027-01-01T00:00:00.000Z"}
    ]
