"""The ledger of a real Kafka: transactions, committed positions and the command's exit code."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker
from schemas.kafka import KafkaOptions
from schemas.settings import Settings
from schemas.topics import TopicNames
from tests.processors.ledger.synthetic import ORDERS, RECEIVED, event, event_id

REGISTRY = """
merchants:
  - {id: acme, name: Acme, role: shipper, terms_accepted_on: 2026-03-20}
destinations:
  - id: acme-orders
    merchant: acme
    kind: http
    url: https://orders.example/
    signing_secrets: ["env:SIGNING"]
    start: earliest
"""
KEY = b"9205591234567800000011"


class Cluster:
    """Topics under one prefix, written as the programs write them."""

    def __init__(self, broker: LocalBroker, prefix: str) -> None:
        given = {
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SCANWIRE_TOPIC_PREFIX": prefix,
            "SCANWIRE_TOPIC_PARTITIONS": "2",
        }
        settings = Settings.from_environ(given)
        self._environ = {**os.environ, **given, "SIGNING": "whsec_AAAA"}
        self.names: TopicNames = settings.topics
        self._kafka = KafkaOptions(settings)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Runs `scanwire-processors`."""
        command = [sys.executable, "-m", "processors", *arguments]
        return subprocess.run(command, env=self._environ, capture_output=True, check=False)

    def ledger(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and what the ledger says."""
        done = self.command("ledger", "--json", *arguments)
        assert not done.stderr, done.stderr.decode()
        return done.returncode, orjson.loads(done.stdout)

    def transaction(
        self, records: list[tuple[str, dict[str, Any]]], group: str, topic: str, offset: int
    ) -> None:
        """Records and a group's position on partition 0 of a topic, committed together."""

        async def commit() -> None:
            producer = AIOKafkaProducer(**self._kafka.transactional(f"{group}-test"))
            async with producer, producer.transaction():
                for where, value in records:
                    await producer.send(where, orjson.dumps(value), KEY, partition=0)
                position = {TopicPartition(topic, 0): offset}
                await producer.send_offsets_to_transaction(position, group)

        asyncio.run(commit())

    def append(self, topic: str, *values: dict[str, Any]) -> None:
        """Records outside transactions."""

        async def send() -> None:
            async with AIOKafkaProducer(**self._kafka.producer()) as producer:
                for value in values:
                    await producer.send(topic, orjson.dumps(value), KEY, partition=0)

        asyncio.run(send())

    def commit(self, group: str, topic: str, offset: int) -> None:
        """A sink's position."""

        async def commit() -> None:
            async with AIOKafkaConsumer(**self._kafka.reader(group)) as reader:
                place = TopicPartition(topic, 0)
                reader.assign([place])
                await reader.commit({place: offset})

        asyncio.run(commit())


@pytest.fixture
def cluster(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Cluster:
    """A registry in force, and one event that acme was allowed and sent."""
    one = Cluster(broker, topic_prefix)
    file = tmp_path / "registry.yaml"
    file.write_text(REGISTRY, encoding="utf-8")
    applied = one.command("registry", "apply", str(file))
    assert applied.returncode == 0, applied.stderr.decode()
    names = one.names
    update = {"update_id": event_id(100), "received_at": RECEIVED, "events": [event(1)]}
    one.append(names.tracking_updates, update)
    state = {"tracking_number": KEY.decode(), "event_ids": [event_id(1)], "trimmed_through": None}
    one.transaction(
        [(names.scan_events, event(1)), (names.packages, state)],
        names.group("packages"),
        names.tracking_updates,
        1,
    )
    one.append(names.merchant("acme"), event(1))
    decision = {
        "event_id": event_id(1),
        "received_at": RECEIVED,
        "cause": "first",
        "parties": [{"merchant": "acme", "allowed": True, "grant": "owner:912345678"}],
    }
    one.transaction([(names.decisions, decision)], names.group("router"), names.scan_events, 1)
    return one


def equation(statement: dict[str, Any], name: str) -> dict[str, Any]:
    """One of the statement's equations."""
    found: dict[str, Any] = next(one for one in statement["equations"] if one["name"] == name)
    return found


def test_event_on_its_way_is_in_flight(cluster: Cluster) -> None:
    """Before its destination has word of it, it is in flight, and the ledger balances."""
    code, statement = cluster.ledger()
    assert (code, statement["balanced"]) == (0, True)
    assert statement["in_flight"][ORDERS] == 1
    assert equation(statement, "events")["right"]["published"] == 1


def test_event_that_vanished_is_named(cluster: Cluster) -> None:
    """The destination has gone past it and says nothing: exit 1, with the id."""
    topic = cluster.names.merchant("acme")
    cluster.commit(cluster.names.sink_group(ORDERS), topic, 1)
    code, statement = cluster.ledger()
    assert (code, statement["balanced"]) == (1, False)
    wrong = equation(statement, f"destination {ORDERS}")["wrong"]
    assert wrong == {"passed_over": {"count": 1, "ids": [event_id(1)]}}
    told = cluster.command("ledger")
    assert told.returncode == 1
    assert f"passed over: 1: {event_id(1)}".encode() in told.stdout


def test_delivered_event_is_settled(cluster: Cluster, tmp_path: Path) -> None:
    """With a delivery record it balances; callbacks answered 200 are asked for by id."""
    topic = cluster.names.merchant("acme")
    delivery = {"destination": ORDERS, "event_id": event_id(1), "outcome": "accepted"}
    place = {"topic": topic, "partition": 0, "offset": 0}
    cluster.append(cluster.names.deliveries, delivery | place)
    cluster.commit(cluster.names.sink_group(ORDERS), topic, 1)
    answered = tmp_path / "record.jsonl"
    lines = [{"update_id": event_id(number), "status": 200} for number in (100, 101)]
    answered.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    code, statement = cluster.ledger("--answered", str(answered))
    assert equation(statement, f"destination {ORDERS}")["right"]["accepted"] == 1
    assert equation(statement, "callbacks")["wrong"]["missing"]["ids"] == [event_id(101)]
    assert code == 1
    assert cluster.ledger()[0] == 0


def test_range_leaves_out_the_rest(cluster: Cluster) -> None:
    """Events received before --since are not asked for."""
    code, statement = cluster.ledger("--since", "2026-06-01")
    assert (code, equation(statement, "events")["left"]) == (0, 0)


def test_missing_topics_are_said(broker: LocalBroker, topic_prefix: str) -> None:
    """Nothing is created by looking; the sentence says what to run."""
    done = Cluster(broker, topic_prefix).command("ledger")
    assert done.returncode == 1
    assert b"registry apply" in done.stderr
