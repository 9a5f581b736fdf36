"""Every topic: its name, partitions, retention, and why (design: topics)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

DAY_MS: Final = 86_400_000
# A body of 1 MiB grows when it is escaped or put in Base64.
LARGE_RECORD_BYTES: Final = 8 * 1024 * 1024
TOMBSTONE_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should be. `partitions` None: the common number of the piece topics."""

    name: str
    partitions: int | None
    config: Mapping[str, str] = field(default_factory=dict)


def _kept(days: int, **config: str) -> Mapping[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS), **config}


_COMPACTED: Final = {"cleanup.policy": "compact", "delete.retention.ms": str(TOMBSTONE_MS)}
_LARGE: Final = {"max.message.bytes": str(LARGE_RECORD_BYTES)}


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names under one prefix (setting `SCANWIRE_TOPIC_PREFIX`); groups carry it too."""

    prefix: str

    @property
    def tracking_updates(self) -> str:
        """Receiver to packages: one record per callback."""
        return f"{self.prefix}tracking-updates.v1"

    @property
    def scan_events(self) -> str:
        """Packages to router: one record per new event."""
        return f"{self.prefix}scan-events.v1"

    @property
    def packages(self) -> str:
        """The state of every piece, compacted."""
        return f"{self.prefix}packages.v1"

    @property
    def withheld(self) -> str:
        """Events that a party may not have yet, and releases."""
        return f"{self.prefix}withheld.v1"

    @property
    def quarantine(self) -> str:
        """Requests that were set aside."""
        return f"{self.prefix}quarantine.v1"

    @property
    def dead_letters(self) -> str:
        """Records that were given up on."""
        return f"{self.prefix}dead-letters.v1"

    @property
    def decisions(self) -> str:
        """Every judgement of an event."""
        return f"{self.prefix}decisions.v1"

    @property
    def deliveries(self) -> str:
        """Every settled delivery."""
        return f"{self.prefix}deliveries.v1"

    @property
    def registry(self) -> str:
        """Who is who, compacted, one partition."""
        return f"{self.prefix}registry.v1"

    @property
    def registry_history(self) -> str:
        """What each apply changed."""
        return f"{self.prefix}registry-history.v1"

    @property
    def observed(self) -> str:
        """What programs saw, compacted, one partition."""
        return f"{self.prefix}observed.v1"

    def merchant(self, merchant_id: str) -> str:
        """A merchant's own topic."""
        return f"{self.prefix}merchant.{merchant_id}.v1"

    def group(self, name: str) -> str:
        """A consumer group of a program, e.g. `packages`."""
        return f"{self.prefix}{name}"

    def sink_group(self, destination_id: str) -> str:
        """The consumer group of a destination."""
        return f"{self.prefix}sink.{destination_id}"

    def transactional_id(self, group: str, topic: str, partition: int) -> str:
        """One transactional producer per input partition: a new owner fences the old one."""
        return f"{self.group(group)}-{topic}-{partition}"

    @property
    def apply_transactional_id(self) -> str:
        """Of two applies at once the older is fenced."""
        return f"{self.prefix}registry-apply"


def core_topics(names: TopicNames) -> list[TopicSpec]:
    """Every topic but the merchants'. The piece topics share their number of partitions."""
    return [
        TopicSpec(names.tracking_updates, None, _kept(14, **_LARGE)),
        TopicSpec(names.scan_events, None, _kept(30)),
        # Two thousand event ids and what is known of each do not fit Kafka's usual 1 MiB.
        TopicSpec(names.packages, None, {**_COMPACTED, **_LARGE}),
        TopicSpec(names.withheld, None, _kept(30)),
        TopicSpec(names.decisions, None, _kept(730)),
        TopicSpec(names.quarantine, None, _kept(30, **_LARGE)),
        # A dead letter holds the record it gave up on, in Base64 where it is unreadable.
        TopicSpec(names.dead_letters, None, _kept(30, **_LARGE)),
        TopicSpec(names.deliveries, None, _kept(90)),
        TopicSpec(names.registry, 1, _COMPACTED),
        TopicSpec(names.registry_history, 1, {"cleanup.policy": "delete", "retention.ms": "-1"}),
        TopicSpec(names.observed, 1, _COMPACTED),
    ]


def merchant_topics(names: TopicNames, partitions: Mapping[str, int]) -> Iterable[TopicSpec]:
    """One topic per merchant; `partitions` by merchant id."""
    for merchant_id, count in partitions.items():
        yield TopicSpec(names.merchant(merchant_id), count, _kept(14))
