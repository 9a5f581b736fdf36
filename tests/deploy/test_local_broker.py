"""The real broker: started, stopped, killed, frozen, refused."""

import asyncio
import random
import socket
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.broker import BrokerError, BrokerOptions, LocalBroker, free_port
from deploy.broker.probe import answers

TOPIC = "kept"


async def _create_topic(broker: LocalBroker, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def _write_in_a_transaction(broker: LocalBroker, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, transactional_id=f"{topic}-writer"
    )
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def _read_all(broker: LocalBroker, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        batch = await consumer.getmany(timeout_ms=5_000)
        return [record.value for record in batch[partition]]
    finally:
        await consumer.stop()


async def test_record_written_before_a_stop_is_read_after_it(private_broker: LocalBroker) -> None:
    """Stop and start keep what was committed, on the same port."""
    await _create_topic(private_broker, TOPIC)
    await _write_in_a_transaction(private_broker, TOPIC, b"before")
    await asyncio.to_thread(private_broker.stop)
    assert private_broker.running() is None
    await asyncio.to_thread(private_broker.start)
    assert await _read_all(private_broker, TOPIC) == [b"before"]


async def test_record_acknowledged_before_a_kill_is_read_after_it(
    private_broker: LocalBroker,
) -> None:
    """SIGKILL is a crash of the process, not of the disk; the same object starts it again."""
    await _create_topic(private_broker, TOPIC)
    await _write_in_a_transaction(private_broker, TOPIC, b"before")
    await asyncio.to_thread(private_broker.kill)
    await asyncio.to_thread(private_broker.start)
    assert await _read_all(private_broker, TOPIC) == [b"before"]


def test_frozen_broker_keeps_its_port_and_says_nothing(private_broker: LocalBroker) -> None:
    """Freeze makes a broker that hangs; after thaw it answers again."""
    private_broker.freeze()
    process = private_broker.running()
    assert process is not None
    assert process.status() == psutil.STATUS_STOPPED
    with socket.create_connection(("127.0.0.1", private_broker.port), timeout=5):
        pass
    private_broker.thaw()
    assert answers(private_broker.port, {})


async def test_start_may_be_called_from_a_coroutine(broker: LocalBroker) -> None:
    """A running event loop in the thread does not disturb it, and a running broker stays."""
    before = broker.running()
    broker.start()
    assert broker.running() == before


def test_another_object_finds_the_running_broker_and_leaves_it(broker: LocalBroker) -> None:
    """`with` ends only what it started: `make run` does not stop the broker of `make broker`."""
    before = broker.running()
    with LocalBroker(broker.directory, broker.port) as same:
        assert same.running() == before
    assert broker.running() == before


def test_data_served_on_another_port_are_refused(broker: LocalBroker) -> None:
    """One directory has one broker; the sentence says how to stop it."""
    other = LocalBroker(broker.directory, free_port(random.Random()))
    with pytest.raises(BrokerError, match=r"runs as process \d+ .* deploy\.broker stop"):
        other.start()


def test_port_in_use_is_a_sentence(broker: LocalBroker, tmp_path: Path) -> None:
    """A second broker on the same port is refused before Java starts, naming the first."""
    process = broker.running()
    assert process is not None
    with pytest.raises(BrokerError, match=rf"in use by process {process.pid} \(java\)"):
        LocalBroker(tmp_path, broker.port, free_port(random.Random())).start()


def test_directory_in_a_file_is_a_sentence(tmp_path: Path) -> None:
    """A place that cannot hold a directory is refused."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(BrokerError, match="Choose another directory"):
        LocalBroker(tmp_path / "file" / "broker").start()


def test_broker_that_ends_at_once_tells_its_last_lines(tmp_path: Path) -> None:
    """A setting that Kafka refuses is quoted from its log, and nothing is left running."""
    options = BrokerOptions(properties={"num.network.threads": "-1"})
    broker = LocalBroker(tmp_path, *_two_ports(), options)
    with pytest.raises(BrokerError, match=r"num\.network\.threads"):
        broker.start()
    assert broker.running() is None


def test_users_with_passwords_can_be_asked_for(tmp_path: Path) -> None:
    """SASL on the client listener: with the password it answers, without it does not."""
    with LocalBroker(tmp_path, *_two_ports(), _with_scram("watch")) as broker:
        assert not answers(broker.port, {})


def _two_ports() -> tuple[int, int]:
    choose = random.SystemRandom()
    return free_port(choose), free_port(choose)


def _with_scram(password: str) -> BrokerOptions:
    jaas = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="admin" password="{password}";'
    )
    return BrokerOptions(
        properties={
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.client.scram-sha-512.sasl.jaas.config": jaas,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:admin",
        },
        format_arguments=["--add-scram", f"SCRAM-SHA-512=[name=admin,password={password}]"],
        client_options={
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "admin",
            "sasl_plain_password": password,
        },
    )
