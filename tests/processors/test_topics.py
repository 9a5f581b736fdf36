"""Topics are created once, checked ever after, and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource

from deploy.broker import LocalBroker
from processors.administration import administration, existing_partitions
from processors.program import Tools
from processors.topics import check_topics, ensure_topics, piece_topics
from schemas.errors import OperatorError
from schemas.settings import Settings
from schemas.topics import TopicNames, TopicSpec, core_topics, merchant_topics
from tests.processors.consume.world import make_topics, tools_for

SETTINGS = Settings.from_environ({"SCANWIRE_TOPIC_PARTITIONS": "2"})
NAMES = TopicNames("usps.")


@dataclass
class FakeAdmin:
    """A cluster of three brokers that keeps what it is told."""

    replicas: int = 3
    topics: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    refuses: tuple[int, str] | None = None
    asked: list[NewTopic] = field(default_factory=list)

    async def describe_topics(self) -> list[dict[str, Any]]:
        """As aiokafka tells them."""
        return [
            {
                "topic": name,
                "error_code": 0,
                "partitions": [{"replicas": [1] * self.replicas}] * count,
            }
            for name, (count, _) in self.topics.items()
        ]

    async def describe_configs(self, resources: Sequence[ConfigResource]) -> list[Any]:
        """All settings of each."""
        found = [(0, "", 2, one.name, [*self.topics[one.name][1].items()]) for one in resources]
        return [SimpleNamespace(resources=found)]

    async def create_topics(self, topics: Sequence[NewTopic]) -> Any:
        """Makes them, with the cluster's own min.insync.replicas."""
        self.asked += topics
        code, message = self.refuses or (0, None)
        for topic in topics if not code else ():
            configs = {"min.insync.replicas": "2", **topic.topic_configs}
            self.topics[topic.name] = (topic.num_partitions, configs)
        return SimpleNamespace(topic_errors=[(topic.name, code, message) for topic in topics])


async def made() -> FakeAdmin:
    """A cluster with all core topics."""
    admin = FakeAdmin()
    await ensure_topics(admin, core_topics(NAMES), SETTINGS)
    return admin


async def test_what_is_missing_is_created_as_it_should_be() -> None:
    """Partitions by setting, the cluster's own replication, retention and compaction."""
    admin = FakeAdmin()
    report = await ensure_topics(admin, core_topics(NAMES), SETTINGS)
    assert list(report.created) == [spec.name for spec in core_topics(NAMES)]
    assert all(admin.topics[name][0] == 2 for name in piece_topics(NAMES))
    assert admin.topics[NAMES.registry][0] == 1
    assert admin.topics[NAMES.packages][1]["cleanup.policy"] == "compact"
    assert {topic.replication_factor for topic in admin.asked} == {-1}
    assert not [*report.problems, *report.unsafe, *report.warnings]


async def test_nothing_is_created_twice() -> None:
    """A second run finds everything."""
    admin = await made()
    admin.asked.clear()
    report = await ensure_topics(admin, core_topics(NAMES), SETTINGS)
    assert not report.created
    assert not admin.asked


@pytest.mark.parametrize("name", piece_topics(NAMES))
async def test_a_piece_topic_with_another_number_of_partitions_is_refused(name: str) -> None:
    """A piece's input, state and output share a number; nothing else is created either."""
    admin = await made()
    admin.topics[name] = (3, admin.topics[name][1])
    del admin.topics[NAMES.deliveries]
    report = await ensure_topics(admin, core_topics(NAMES), SETTINGS)
    (problem,) = report.problems
    assert problem.startswith(f"{name} has 3 partitions and SCANWIRE_TOPIC_PARTITIONS says 2; set")
    assert not report.created
    assert NAMES.deliveries not in admin.topics


async def test_a_topic_of_one_partition_must_have_one() -> None:
    """The registry's order is that of its only partition."""
    admin = await made()
    admin.topics[NAMES.registry] = (2, admin.topics[NAMES.registry][1])
    (problem,) = (await check_topics(admin, core_topics(NAMES), SETTINGS)).problems
    assert problem.startswith(f"{NAMES.registry} has 2 partitions instead of 1")


async def test_a_merchants_topic_says_what_to_declare() -> None:
    """Its partitions are the registry's to say, and the topic's to keep."""
    admin = await made()
    specs = list(merchant_topics(NAMES, {"acme": 2}))
    await ensure_topics(admin, specs, SETTINGS)
    other = list(merchant_topics(NAMES, {"acme": 3}))
    (problem,) = (await check_topics(admin, other, SETTINGS)).problems
    assert problem.endswith("never changed; declare partitions: 2 for that merchant")


async def test_another_number_where_nothing_rests_on_it_is_a_warning() -> None:
    """Quarantine is read by people."""
    admin = await made()
    admin.topics[NAMES.quarantine] = (5, admin.topics[NAMES.quarantine][1])
    report = await check_topics(admin, core_topics(NAMES), SETTINGS)
    assert not report.problems
    assert report.warnings == [f"{NAMES.quarantine} has 5 partitions instead of 2"]


async def test_a_setting_that_differs_is_a_warning() -> None:
    """It may be an operator's choice; it is not changed."""
    admin = await made()
    admin.topics[NAMES.withheld][1]["retention.ms"] = "1000"
    report = await ensure_topics(admin, core_topics(NAMES), SETTINGS)
    assert report.warnings == [f"{NAMES.withheld}: retention.ms is 1000, scanwire's is 2592000000"]
    assert admin.topics[NAMES.withheld][1]["retention.ms"] == "1000"


@pytest.mark.parametrize(("replicas", "insync", "unsafe"), [(3, "1", 1), (3, "2", 0), (1, "1", 0)])
async def test_one_replica_that_acknowledges_alone_is_unsafe(
    replicas: int, insync: str, unsafe: int
) -> None:
    """With a single broker there is nothing better."""
    admin = await made()
    admin.replicas = replicas
    admin.topics[NAMES.scan_events][1]["min.insync.replicas"] = insync
    report = await check_topics(admin, core_topics(NAMES), SETTINGS)
    assert len(report.unsafe) == unsafe


async def test_a_topic_that_the_cluster_refuses_is_told() -> None:
    """With the cluster's own words and what to correct."""
    admin = FakeAdmin(refuses=(38, "replication factor 5 larger than available brokers 3"))
    with pytest.raises(OperatorError) as refused:
        await ensure_topics(admin, core_topics(NAMES), SETTINGS)
    assert "replication factor 5 larger" in refused.value.detail
    assert "SCANWIRE_TOPIC_REPLICATION_FACTOR" in refused.value.detail


async def test_two_that_create_at_once_do_not_mind() -> None:
    """The one who comes second finds the topic made."""
    admin = await made()
    del admin.topics[NAMES.deliveries]

    class Raced(FakeAdmin):
        async def create_topics(self, topics: Sequence[NewTopic]) -> Any:
            made_meanwhile = await super().create_topics(topics)
            errors = [(name, 36, "exists") for name, _, _ in made_meanwhile.topic_errors]
            return SimpleNamespace(topic_errors=errors)

    raced = Raced(topics=admin.topics)
    report = await ensure_topics(raced, core_topics(NAMES), SETTINGS)
    assert report.partitions[NAMES.deliveries] == 2


@pytest.fixture
def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For the broker that all share."""
    return tools_for(broker.bootstrap_servers, topic_prefix, tmp_path)


async def test_to_look_for_a_topic_does_not_create_it(tools: Tools) -> None:
    """Also where the cluster creates topics that are asked for."""
    names = tools.settings.topics
    await make_topics(tools, [names.observed], 3)
    async with administration(tools.kafka) as admin:
        for _ in range(2):
            found = await existing_partitions(admin, [names.observed, names.registry])
            assert found == {names.observed: 3}


async def test_a_replication_that_is_asked_for_is_taken(tools: Tools) -> None:
    """One, on a cluster of one broker; two is refused with a sentence."""
    specs = [TopicSpec(tools.settings.topics.observed, 1, {"cleanup.policy": "compact"})]
    async with administration(tools.kafka) as admin:
        two = tools.settings.model_copy(update={"topic_replication_factor": 2})
        with pytest.raises(OperatorError, match="did not create"):
            await ensure_topics(admin, specs, two)
        one = tools.settings.model_copy(update={"topic_replication_factor": 1})
        assert (await ensure_topics(admin, specs, one)).created
