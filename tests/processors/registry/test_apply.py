"""An apply puts the declared registry in force, whole or not at all, on a real broker."""

import asyncio

import pytest
from aiokafka.errors import IllegalOperation, ProducerFenced

from processors.administration import administration, existing_partitions
from processors.registry.apply import apply_registry
from processors.registry.plan import Change
from processors.registry.write import Revision, applier, write
from processors.topics import check_topics
from schemas.errors import OperatorError, RegistryRefused
from schemas.registry.history import RegistryHistory
from schemas.registry.log import REVISION_KEY, RevisionMarker
from schemas.topics import core_topics
from tests.processors.registry.cluster import BASE, Cluster
from tests.schemas.registry.entities import merchant

CHANGED = BASE.replace("name: Beta", "name: Beta Ltd").replace(
    '  - {mid: "912345678", owner: acme}', '  - {mid: "123456", owner: beta}'
)


async def test_plan_says_what_would_change_and_makes_nothing(cluster: Cluster) -> None:
    """Not even the topics that it would read."""
    plan = await cluster.plan(BASE)
    assert [(one.change, one.key) for one in plan.changes] == [
        ("added", "merchant/acme"),
        ("added", "merchant/beta"),
        ("added", "mid/912345678"),
    ]
    assert plan.revision == 0
    async with administration(cluster.tools.kafka) as admin:
        assert not await existing_partitions(admin, [cluster.names.registry])


async def test_apply_writes_entities_then_the_marker_and_the_history(cluster: Cluster) -> None:
    """Key kind/id; the marker is last, so that programs switch to a whole revision."""
    applied = await cluster.apply(BASE)
    written = await cluster.records(cluster.names.registry)
    assert [key for key, _ in written] == [
        "merchant/acme",
        "merchant/beta",
        "mid/912345678",
        REVISION_KEY,
    ]
    assert written[2][1] == {"mid": "912345678", "owner": "acme"}
    assert applied.revision == written[3][1]["revision"] == 1
    ((key, history),) = await cluster.records(cluster.names.registry_history)
    told = RegistryHistory.model_validate(history)
    assert key == "1"
    assert (told.revision, told.part, told.parts) == (1, 1, 1)
    assert "@" in told.applied_by
    assert [change.key for change in told.changes] == [key for key, _ in written[:3]]


async def test_apply_makes_every_topic(cluster: Cluster) -> None:
    """The core ones and one for each merchant, with its partitions."""
    applied = await cluster.apply(BASE.replace("role: shipper}", "role: shipper, partitions: 3}"))
    names = cluster.names
    wanted = {spec.name for spec in core_topics(names)}
    assert set(applied.topics_created) == wanted | {names.merchant("acme"), names.merchant("beta")}
    async with administration(cluster.tools.kafka) as admin:
        found = await existing_partitions(admin, applied.topics_created)
        report = await check_topics(admin, core_topics(names), cluster.tools.settings)
    assert found[names.merchant("beta")] == 3
    assert found[names.merchant("acme")] == 1
    assert found[names.scan_events] == cluster.tools.settings.topic_partitions
    assert not [*report.problems, *report.unsafe, *report.warnings]


async def test_what_is_gone_gets_a_tombstone_and_history_tells_before_and_after(
    cluster: Cluster,
) -> None:
    """Only what changed is written again."""
    await cluster.apply(BASE)
    await cluster.apply(CHANGED)
    written = (await cluster.records(cluster.names.registry))[4:]
    assert [key for key, _ in written] == [
        "merchant/beta",
        "mid/123456",
        "mid/912345678",
        REVISION_KEY,
    ]
    assert written[2][1] is None
    history = RegistryHistory.model_validate(
        (await cluster.records(cluster.names.registry_history))[1][1]
    )
    by_key = {change.key: change for change in history.changes}
    assert by_key["mid/912345678"].change == "removed"
    assert by_key["mid/912345678"].before == {"mid": "912345678", "owner": "acme"}
    assert by_key["mid/912345678"].after is None
    beta = by_key["merchant/beta"]
    assert (beta.before or {})["name"] == "Beta"
    assert (beta.after or {})["name"] == "Beta Ltd"
    in_force = await cluster.in_force()
    assert in_force.revision == 2
    assert in_force.keys() == {"merchant/acme", "merchant/beta", "mid/123456"}


async def test_nothing_changed_is_no_new_revision(cluster: Cluster) -> None:
    """The same file again writes nothing."""
    await cluster.apply(BASE)
    applied = await cluster.apply(BASE)
    assert not applied.plan.changes
    assert applied.revision == 1
    assert len(await cluster.records(cluster.names.registry)) == 4
    assert not (await cluster.plan(BASE)).changes


@pytest.mark.parametrize("verb", ["plan", "apply"])
async def test_a_merchants_partitions_are_never_changed(cluster: Cluster, verb: str) -> None:
    """It would put a piece's later events on another partition; refused with its place."""
    await cluster.apply(BASE)
    other = BASE.replace("name: Acme,", "name: Acme, partitions: 2,")
    with pytest.raises(RegistryRefused) as refused:
        await (cluster.plan(other) if verb == "plan" else cluster.apply(other))
    assert "acme.v1 has 1 partitions instead of 2" in refused.value.detail
    assert "declare partitions: 1 for that merchant" in refused.value.detail
    assert (await cluster.in_force()).revision == 1


async def test_of_two_applies_at_once_the_older_is_fenced(cluster: Cluster) -> None:
    """Nothing of what it wrote is ever in force."""
    await cluster.apply(BASE)
    async with applier(cluster.tools.kafka) as older:
        await older.begin_transaction()
        await write(older, cluster.names, revision_with("old"))
        applied = await cluster.apply(CHANGED)
        with pytest.raises((ProducerFenced, IllegalOperation)):
            await older.commit_transaction()
    in_force = await cluster.in_force()
    assert applied.revision == in_force.revision == 2
    assert in_force.entity("merchant/old") is None


async def test_applies_at_once_end_as_if_one_came_after_the_other(cluster: Cluster) -> None:
    """Each either says that it was fenced or is in force; the history has no gap."""
    await cluster.apply(BASE)
    loaded = [cluster.loaded(text) for text in (BASE.replace("Acme", f"Acme {n}") for n in "1234")]
    tools = cluster.tools
    results = await asyncio.gather(
        *(apply_registry(one, tools.kafka, tools.clock) for one in loaded), return_exceptions=True
    )
    fenced = [one for one in results if isinstance(one, OperatorError)]
    assert all(error.reason == "apply_fenced" for error in fenced)
    assert len(fenced) + sum(1 for one in results if not isinstance(one, BaseException)) == 4
    history = [int(key) for key, _ in await cluster.records(cluster.names.registry_history)]
    assert history == list(range(1, len(history) + 1))
    assert len(history) == 5 - len(fenced)


async def test_an_apply_that_died_in_the_middle_leaves_nothing_and_stops_nobody(
    cluster: Cluster,
) -> None:
    """Its open transaction is ended by the next apply, at once and not by its time-out."""
    dead = applier(cluster.tools.kafka)
    await cluster.apply(BASE)
    await dead.start()
    await dead.begin_transaction()
    await write(dead, cluster.names, revision_with("half"))
    async with asyncio.timeout(20):
        applied = await cluster.apply(CHANGED)
    assert applied.revision == 2
    assert (await cluster.in_force()).entity("merchant/half") is None
    await dead.stop()


def revision_with(merchant_id: str) -> Revision:
    """One merchant more."""
    added = merchant(merchant_id)
    marker = RevisionMarker(revision=9, applied_at="2026-04-01T00:00:00Z", applied_by="a test")
    return Revision(marker, [Change(added.key, "added", None, added)], {})


async def test_a_large_history_is_several_records(cluster: Cluster) -> None:
    """None is larger than a broker takes, and each says which part it is."""
    grants = "".join(
        f'  - {{id: g-{number}, merchant: beta, mid: "912345678", channels: [webhook, api], '
        f"basis: delegation, reference: a-reference-of-some-length-{number}}}\n"
        for number in range(5_000)
    )
    await cluster.apply(f"{BASE}grants:\n{grants}")
    parts = [
        RegistryHistory.model_validate(value)
        for _, value in await cluster.records(cluster.names.registry_history)
    ]
    assert len(parts) > 1
    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert {part.parts for part in parts} == {len(parts)}
    assert sum(len(part.changes) for part in parts) == 5_003
