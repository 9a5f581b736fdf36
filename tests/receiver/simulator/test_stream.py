"""What leaves the simulator: every callback, and each kind of fault as often as asked."""

from base64 import b64decode
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from receiver.simulator.callbacks import by_shipper
from receiver.simulator.faults import MADE_OF_ONE_CALLBACK, SOME, FaultRates, parse_rates
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.outgoing import Becomes, Fault, Outgoing
from receiver.simulator.scans import Journey, Shipper
from receiver.simulator.seeded import seeded
from receiver.simulator.stream import CallbackStream
from receiver.simulator.subscribers import Subscriber, read_subscribers, shippers_of
from schemas.errors import OperatorError
from schemas.registry.entities import EventType, SignatureScheme
from schemas.secrets import Secrets, SecretUnavailable

NOW = datetime(2026, 11, 24, 5, 17, tzinfo=UTC)
STAMP = "2026-11-24T05:17:00.000Z"
SUBSCRIBER = Subscriber(
    "acme-webhook",
    "0190aa11-2b3c-7d4e-8f50-61728394a5b6",
    Shipper("912345678"),
    frozenset({EventType.ALL_UPDATES, EventType.PACKAGE_DELAYED}),
    SignatureScheme(),
    SecretStr("sample-only-secret-0123456789abc"),
)


def requests(rates: FaultRates, packages: int = 40) -> tuple[list[Outgoing], list[Journey]]:
    """A whole run, and the journeys behind it."""
    told: list[Journey] = []
    stream = CallbackStream(
        JourneyMaker(1, [SUBSCRIBER.shipper], NOW).journeys(packages),
        by_shipper([SUBSCRIBER]),
        seeded(1, "stream"),
        rates,
        active=10,
        on_journey=told.append,
    )
    sent = []
    while (request := stream.next(STAMP)) is not None:
        sent.append(request)
    return sent, told


def test_every_scan_of_every_journey_is_told() -> None:
    """Without faults there is one callback per scan, and none is missing."""
    sent, journeys = requests({})
    scans = sum(len(leg.scans) for journey in journeys for leg in journey.legs)
    assert (len(journeys), len(sent)) == (40, scans)
    assert {request.fault for request in sent} == {None}


def test_same_seed_sends_the_same_bytes() -> None:
    """A run can be repeated, faults included."""
    assert requests(SOME) == requests(SOME)


def test_disorder_loses_nothing() -> None:
    """Callbacks that are held back come later: the same set, another order."""
    orderly, _ = requests({})
    disorderly, _ = requests({Fault.OUT_OF_ORDER: 0.2})
    payloads = [sorted(request.body for request in run) for run in (orderly, disorderly)]
    assert payloads[0] == payloads[1]
    assert sum(request.fault is Fault.OUT_OF_ORDER for request in disorderly) > 20


def test_repeats_are_the_same_request_again() -> None:
    """A repeated callback has the bytes, and so the update id, of one that was sent."""
    sent, _ = requests({Fault.REPEATED: 0.2})
    seen: set[bytes] = set()
    for request in sent:
        assert (request.body in seen) == (request.fault is Fault.REPEATED)
        seen.add(request.body)


@pytest.mark.parametrize("fault", MADE_OF_ONE_CALLBACK)
def test_faults_come_beside_proper_callbacks(fault: Fault) -> None:
    """A fault adds requests: each proper callback is sent all the same."""
    sent, journeys = requests({fault: 0.1})
    scans = sum(len(leg.scans) for journey in journeys for leg in journey.legs)
    counts = Counter(request.fault for request in sent)
    assert counts[None] == scans
    assert counts[fault] > 10


@pytest.mark.parametrize("fault", MADE_OF_ONE_CALLBACK)
def test_faults_say_what_must_become_of_them(fault: Fault) -> None:
    """What is answered 200 has an update id; what is refused has none."""
    sent, _ = requests({fault: 0.1})
    for request in sent:
        assert (request.update_id is not None) == (request.status == 200)
        assert (request.becomes is Becomes.REFUSED) == (request.status != 200)
        assert bool(request.event_ids) == (request.becomes is Becomes.PUBLISHED)


def test_bad_signatures_are_well_formed() -> None:
    """A forged signature has the length of a real one: it fails by its value."""
    sent, _ = requests({Fault.BAD_SIGNATURE: 0.1})
    forged = [request for request in sent if request.fault is Fault.BAD_SIGNATURE]
    assert {len(b64decode(request.headers["X-HMAC"])) for request in forged} == {32}


def test_escaped_twice_is_json_once_more() -> None:
    """The payload string is itself escaped, as USPS's printed examples are."""
    sent, _ = requests({Fault.ESCAPED_TWICE: 0.1})
    escaped = next(request for request in sent if request.fault is Fault.ESCAPED_TWICE)
    payload = orjson.loads(escaped.body)["payload"]
    assert orjson.loads(orjson.loads(f'"{payload}"'))["trackingNumber"]


def test_rates_are_read_or_refused_with_the_kinds() -> None:
    """`--faults` takes a preset or kinds with shares; anything else is refused."""
    assert parse_rates("none") == {}
    assert parse_rates("repeated=0.5, not_json=1") == {Fault.REPEATED: 0.5, Fault.NOT_JSON: 1.0}
    for wrong in ("", "bad", "repeated=x", "repeated=2", "unheard_of=0.1"):
        with pytest.raises(OperatorError, match="bad_signature"):
            parse_rates(wrong)


REGISTRY_FILE = """
subscriptions:
  - {id: abc, name: one, mid: "912345678", secrets: ["env:NEW", "env:OLD"]}
  - {name: not-created-yet, mid: "912345678", secrets: ["env:NEW"]}
  - {id: def, name: two, tracking_number: "9205591234567800000011", secrets: ["env:NEW"]}
"""


def test_registry_files_name_the_subscribers(tmp_path: Path) -> None:
    """Subscriptions with an id are called, each with its newest secret."""
    file = tmp_path / "registry.yaml"
    file.write_text(REGISTRY_FILE, encoding="utf-8")
    lines = tmp_path / "more.jsonl"
    lines.write_bytes(
        b'{"kind":"merchant","id":"m"}\n'
        b'{"kind":"subscription","id":"ghi","name":"three","mid":"123456","secrets":["env:NEW"]}\n'
    )
    found = read_subscribers([file, lines], Secrets({"NEW": "n" * 32, "OLD": "o" * 32}, str))
    assert [one.subscription_id for one in found] == ["abc", "def", "ghi"]
    assert {one.secret.get_secret_value() for one in found} == {"n" * 32}
    assert len(shippers_of(found)) == 3


def test_unusable_registry_files_are_refused(tmp_path: Path) -> None:
    """No file, no YAML, no subscription or no secret: a sentence that says what to do."""
    file = tmp_path / "registry.yaml"
    with pytest.raises(OperatorError, match="registry plan"):
        read_subscribers([file], Secrets({}, str))
    file.write_text("subscriptions: [", encoding="utf-8")
    with pytest.raises(OperatorError, match="registry plan"):
        read_subscribers([file], Secrets({}, str))
    file.write_text("merchants: []", encoding="utf-8")
    with pytest.raises(OperatorError, match="with an id"):
        read_subscribers([file], Secrets({}, str))
    file.write_text(REGISTRY_FILE, encoding="utf-8")
    with pytest.raises(SecretUnavailable, match="NEW"):
        read_subscribers([file], Secrets({}, str))
