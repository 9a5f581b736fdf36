"""Which events may go now: different numbers in parallel, those of one number in order.

No time of its own, no I/O. A number's events wait behind its first one, whether that is
under way or waits for its next attempt; other numbers pass.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count, islice

from processors.deliver.commits import PartitionProgress
from processors.sinks.base import SinkEvent
from schemas.records import AttemptOutcome

LaneKey = tuple[int, str]  # partition and tracking number


@dataclass(slots=True, eq=False)
class InHand:
    """An event that is not settled yet, and what was tried for it."""

    event: SinkEvent
    progress: PartitionProgress
    grant: str | None = None  # on which it was last allowed
    tries: int = 0  # every attempt
    counted: int = 0  # attempts that count against the retry schedule
    first_attempt_at: datetime | None = None
    attempts: list[AttemptOutcome] = field(default_factory=list)

    @property
    def lane(self) -> LaneKey:
        """Events of one lane go one after the other."""
        return self.event.position.partition, self.event.tracking_number


@dataclass(slots=True)
class _Lane:
    """The events of one number, oldest first; the first `taken` of them are under way."""

    waiting: deque[InHand] = field(default_factory=deque)
    taken: int = 0


class Window:
    """The events in hand of one destination."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}
        self._ready: deque[LaneKey] = deque()
        self._delayed: list[tuple[float, int, LaneKey, InHand]] = []
        self._tie = count()  # equal times keep their order

    @property
    def ready(self) -> int:
        """How many numbers could go now."""
        return len(self._ready)

    def add(self, event: InHand) -> None:
        """Puts an event behind those of its number."""
        lane = self._lanes.get(event.lane)
        if lane is None:
            lane = self._lanes[event.lane] = _Lane()
            self._ready.append(event.lane)
        lane.waiting.append(event)

    def take(self, limit: int, run: int = 1) -> list[InHand]:
        """Up to `limit` events that may go now, at most `run` of one number, in order."""
        taken: list[InHand] = []
        while self._ready and len(taken) < limit:
            lane = self._lanes[self._ready.popleft()]
            events = islice(lane.waiting, min(run, limit - len(taken)))
            before = len(taken)
            taken.extend(events)
            lane.taken = len(taken) - before
        return taken

    def settle(self, event: InHand) -> None:
        """The first event of its number is done with; the next of that number may go."""
        lane = self._lane_led_by(event)
        if lane is None:
            return
        lane.waiting.popleft()
        lane.taken -= 1
        if not lane.waiting:
            del self._lanes[event.lane]
        elif lane.taken == 0:
            self._ready.append(event.lane)

    def give_up(self, event: InHand) -> None:
        """The same; what was taken behind it goes again, whatever came of it."""
        lane = self._lane_led_by(event)
        if lane is not None:
            lane.taken = 1
            self.settle(event)

    def postpone(self, event: InHand, until: float) -> None:
        """The first event of its number, and so the number, waits until that time."""
        lane = self._lane_led_by(event)
        if lane is not None:
            lane.taken = 0
            heappush(self._delayed, (until, next(self._tie), event.lane, event))

    def put_back(self, event: InHand) -> None:
        """The first event of its number may go again, after the other numbers."""
        lane = self._lane_led_by(event)
        if lane is not None:
            lane.taken = 0
            self._ready.append(event.lane)

    def release(self, now: float) -> None:
        """Ends the waiting of those whose time has come."""
        while self._delayed and self._delayed[0][0] <= now:
            _, _, key, event = heappop(self._delayed)
            if self._lane_led_by(event) is not None:
                self._ready.append(key)

    @property
    def next_due(self) -> float | None:
        """When the next waiting ends."""
        return self._delayed[0][0] if self._delayed else None

    def leads(self, event: InHand) -> bool:
        """Whether it is the first of its number."""
        return self._lane_led_by(event) is not None

    def untake(self, event: InHand) -> None:
        """It and what follows of its number are not under way after all."""
        lane = self._lanes[event.lane]
        lane.taken = lane.waiting.index(event)

    def clear(self) -> None:
        """Forgets every event; attempts under way end without effect."""
        self._lanes.clear()
        self._ready.clear()
        self._delayed.clear()

    def _lane_led_by(self, event: InHand) -> _Lane | None:
        """None: the event was dropped meanwhile."""
        lane = self._lanes.get(event.lane)
        return lane if lane is not None and lane.waiting[0] is event else None
