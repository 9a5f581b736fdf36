"""What `check` finds wrong, and the command line around it."""

from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition

from receiver.__main__ import build_parser
from receiver.check import (
    disk_finding,
    registry_findings,
    settings_in_force,
    spool_findings,
    topic_finding,
)
from receiver.program import Tools
from receiver.publishing.door import OutgoingRecord
from receiver.publishing.topics import TopicState
from receiver.spool.rows import to_row
from receiver.spool.store import Changes, SpoolStore
from receiver.workers import worker
from schemas.errors import OperatorError
from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from schemas.secrets import Secrets
from schemas.settings import Settings, describe
from schemas.topics import LARGE_RECORD_BYTES

NOTHING = Secrets({}, lambda _: "")


def test_topic_that_may_lose_an_acknowledged_callback() -> None:
    """A replicated topic that acknowledges with one replica is wrong; with two it is not."""
    weak = topic_finding("updates", TopicState(6, 3, 1, LARGE_RECORD_BYTES))
    assert not weak.well
    assert "min.insync.replicas" in weak.detail
    assert topic_finding("updates", TopicState(6, 3, 2, LARGE_RECORD_BYTES)).well
    assert topic_finding("updates", TopicState(6, 1, 1, LARGE_RECORD_BYTES)).well


def test_topic_that_does_not_take_large_callbacks() -> None:
    """A topic of Kafka's usual record size is wrong."""
    small = topic_finding("updates", TopicState(6, 1, 1, 1_048_588))
    assert not small.well
    assert str(LARGE_RECORD_BYTES) in small.detail


def test_registry_without_subscriptions() -> None:
    """With nothing declared there is nothing to listen for, and a command to run."""
    [finding] = registry_findings(RegistryLog(), NOTHING)
    assert not finding.well
    assert "registry apply" in finding.detail


def test_secret_that_cannot_be_resolved() -> None:
    """Each unresolved secret is a finding of its own, by reference."""
    log = RegistryLog()
    log.registry.put(
        Subscription(name="acme", mid="912345678", secrets=["env:MISSING", "env:ALSO"])
    )
    registry, *secrets = registry_findings(log, NOTHING)
    assert registry.well
    assert ["env:MISSING" in secrets[0].detail, "env:ALSO" in secrets[1].detail] == [True, True]


def test_disk(tmp_path: Path) -> None:
    """A directory that can be made is well; one behind a file is not."""
    assert disk_finding(tmp_path / "not" / "there" / "yet").well
    (tmp_path / "file").touch()
    assert not disk_finding(tmp_path / "file" / "spool").well


def test_spool(tmp_path: Path) -> None:
    """Depth and age are shown; full, damaged, set aside and parked are wrong, with a remedy."""
    [nothing] = spool_findings(tmp_path, 10_000, 0.0)
    assert nothing.well
    directory = tmp_path / "worker-0"
    directory.mkdir()
    store = SpoolStore(directory)
    lane = TopicPartition("updates", 0)
    store.commit(Changes([to_row(OutgoingRecord("updates", b"key", b"", []), lane, 100.0)]))
    [found] = spool_findings(tmp_path, 10_000, 160.0)
    assert found.well
    assert "1 records wait" in found.detail
    assert "for 60 s" in found.detail
    [full] = spool_findings(tmp_path, 1_000, 160.0)
    assert "SPOOL_MAX_BYTES" in full.detail
    store.commit(Changes(parked=[1]))
    [parked] = spool_findings(tmp_path, 10_000, 160.0)
    assert "no topic takes" in parked.detail
    store.close()
    store.path.rename(store.path.with_name("spool.db.damaged-1"))
    store.path.write_bytes(b"garbage" * 1000)
    damaged, aside = spool_findings(tmp_path, 10_000, 160.0)
    assert "damaged" in damaged.detail
    assert "damaged-1" in aside.detail
    assert not any(finding.well for finding in (full, parked, damaged, aside))


def test_every_setting_is_listed_in_help_and_check() -> None:
    """`--help` and `check` know the same settings."""
    text = build_parser().format_help()
    shown = settings_in_force(Settings())
    for name, _, _ in describe():
        assert name in text
        assert name in shown


def test_commands() -> None:
    """The commands of the contract that exist."""
    text = build_parser().format_help()
    for command in ("serve", "simulate", "check"):
        assert command in text


def test_worker_without_a_parent() -> None:
    """What `serve` starts itself is refused by hand, with what to run instead."""
    with pytest.raises(OperatorError, match="RECEIVER_WORKERS"):
        worker.run(Tools.of(Settings(), NOTHING), -1, -1)
