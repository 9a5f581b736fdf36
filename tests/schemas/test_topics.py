"""Topics are as the design says."""

from schemas.topics import TopicNames, core_topics, merchant_topics


def test_pieces_keep_one_partition_number() -> None:
    """The topics of a piece's way share their number of partitions; the others have their own."""
    names = TopicNames("usps.")
    shared = {spec.name for spec in core_topics(names) if spec.partitions is None}
    assert {
        names.tracking_updates,
        names.scan_events,
        names.packages,
        names.withheld,
        names.decisions,
    } <= shared


def test_prefix_stands_before_topics_and_groups() -> None:
    """Two installations on one cluster do not meet."""
    names = TopicNames("acme.")
    assert names.tracking_updates == "acme.tracking-updates.v1"
    assert names.merchant("m1") == "acme.merchant.m1.v1"
    assert names.sink_group("d1") == "acme.sink.d1"


def test_large_bodies_fit() -> None:
    """Updates and quarantine take 8 MiB records: a 1 MiB body grows when escaped."""
    names = TopicNames("usps.")
    by_name = {spec.name: spec for spec in core_topics(names)}
    for name in (names.tracking_updates, names.quarantine):
        assert by_name[name].config["max.message.bytes"] == "8388608"


def test_a_merchant_topic_has_its_own_partitions() -> None:
    """One partition unless the registry says more."""
    specs = list(merchant_topics(TopicNames("usps."), {"acme": 3}))
    assert [(spec.name, spec.partitions) for spec in specs] == [("usps.merchant.acme.v1", 3)]
