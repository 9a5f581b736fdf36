"""A registry of its own for each test, on the broker that all share."""

from pathlib import Path

import pytest

from deploy.broker import LocalBroker
from tests.processors.registry.cluster import Cluster


@pytest.fixture
def cluster(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Cluster:
    """Nothing was applied yet; not even the topics are there."""
    return Cluster(broker.bootstrap_servers, topic_prefix, tmp_path)
