"""One destination's loop without Kafka."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from processors.deliver.commits import PartitionProgress
from processors.deliver.deliverer import Deliverer, Surroundings
from processors.deliver.intake import Intake
from processors.deliver.pace import Pace
from processors.deliver.retry import RetrySchedule
from processors.deliver.settlements import Settlements
from processors.sinks.base import SinkEvent
from schemas.access import Access, Allowed, Withheld
from schemas.metrics import SinkMetrics
from tests.processors.deliver.fakes import (
    DESTINATION,
    NAMES,
    TOPIC,
    FakeClock,
    FakeRecorder,
    FakeSink,
    merchant_record,
)


@dataclass
class World:
    """One destination's loop without Kafka: records go in, the sink and audit trail show."""

    sink: FakeSink = field(default_factory=FakeSink)
    delays: Sequence[float] = (1.0, 2.0, 5.0)
    per_second: float | None = None
    categories: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.recorder = FakeRecorder()
        self.metrics = SinkMetrics(CollectorRegistry())
        self.denied: dict[str, Withheld] = {}
        self.ends: list[BaseException | None] = []
        self.room = 0
        self.progress = PartitionProgress(TopicPartition(TOPIC, 0), 0)
        settlements = Settlements(
            DESTINATION,
            NAMES,
            self.recorder,
            self.clock,
            self.metrics,
        )
        self.deliverer = Deliverer(
            DESTINATION.id,
            self.sink,
            settlements=settlements,
            schedule=RetrySchedule(self.delays, lambda: 0.0),
            pace=Pace(self.per_second),
            around=Surroundings(
                self.clock, self.clock.call_later, self._authorize, self._on_room, self.ends.append
            ),
            metrics=self.metrics,
        )
        self.intake = Intake(self.categories, self.deliverer, settlements)

    def _authorize(self, event: SinkEvent) -> Access:
        return self.denied.get(event.event_id) or Allowed("owner:912345678")

    def _on_room(self) -> None:
        self.room += 1

    async def take(self, *events: Mapping[str, Any] | bytes) -> None:
        """Records arrive, and everything that can happen now happens."""
        for event in events:
            self.intake.take(merchant_record(event, self.progress.next_read), self.progress)
        self.deliverer.pump()
        await self.settle()

    async def advance(self, seconds: float) -> None:
        """Time passes, stopping at every timer."""
        until = self.clock.monotonic() + seconds
        while (due := self.clock.next_timer) is not None and self.clock.monotonic() + due <= until:
            self.clock.advance(due)
            await self.settle()
        self.clock.advance(until - self.clock.monotonic())
        await self.settle()

    async def settle(self) -> None:
        """Lets every task go as far as it can."""
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def outcomes(self) -> dict[str, str]:
        return self.recorder.outcomes
