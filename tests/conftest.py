"""Fixtures of every test that wants a real Kafka.

The broker runs in this machine's memory and disk only while the tests do; it is ended with them,
also when they are killed.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.broker import LocalBroker, free_port


def _new_broker(directory: Path) -> LocalBroker:
    choose = random.SystemRandom()
    return LocalBroker(directory, free_port(choose), free_port(choose))


def _run(broker: LocalBroker) -> Iterator[LocalBroker]:
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(broker.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """The one Kafka of this test run, for tests that keep to their `topic_prefix`."""
    yield from _run(_new_broker(tmp_path_factory.mktemp("broker")))


@pytest.fixture
def private_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    """A Kafka for this test alone, which may stop, kill and start it as it likes."""
    yield from _run(_new_broker(tmp_path / "private-broker"))


@pytest.fixture
def topic_prefix() -> str:
    """What this test's topics and groups begin with, so that tests do not meet; ends in a dot."""
    return f"test-{uuid4().hex[:12]}."
