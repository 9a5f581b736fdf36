"""Up to where a partition is settled: an offset is committed only when all before it are."""

from collections import deque
from typing import Final

from aiokafka.structs import TopicPartition

# A crash repeats what was settled since: about this many events, or this long.
COMMIT_RECORDS: Final = 500
COMMIT_SECONDS: Final = 1.0


class PartitionProgress:
    """One assigned partition: what was read, what is settled, what is committed.

    Held by the records in hand: when the partition goes, this is dropped with it, and a
    record that is settled later changes nothing that anyone commits.
    """

    def __init__(
        self, topic_partition: TopicPartition, position: int, *, committed: bool = True
    ) -> None:
        self.topic_partition = topic_partition
        self.next_read = position
        # Where the group has no position yet, the first one is committed without waiting
        # for a record: a restart then begins at the same place.
        self.committed = position if committed else -1
        self._in_hand: deque[int] = deque()
        self._settled: set[int] = set()

    def read(self, offset: int) -> None:
        """Takes a record in hand. Offsets only grow."""
        if offset < self.next_read:
            raise ValueError("read an offset twice")
        self._in_hand.append(offset)
        self.next_read = offset + 1

    def settle(self, offset: int) -> None:
        """A record is done with: accepted or set aside, and that is written down."""
        self._settled.add(offset)
        while self._in_hand and self._in_hand[0] in self._settled:
            self._settled.remove(self._in_hand.popleft())

    @property
    def in_hand(self) -> int:
        """Records read, of which an earlier one or they themselves are not settled."""
        return len(self._in_hand)

    @property
    def position(self) -> int:
        """What may be committed: the first offset that is not settled."""
        return self._in_hand[0] if self._in_hand else self.next_read

    @property
    def uncommitted(self) -> int:
        """How far the settled position is ahead of the committed one."""
        return self.position - self.committed


class CommitTimer:
    """Says when to commit: after a time, or after so many records."""

    def __init__(self, now: float) -> None:
        self._last = now

    def due(self, uncommitted: int, now: float) -> bool:
        """Whether it is worth a commit now."""
        if uncommitted <= 0:
            return False
        return uncommitted >= COMMIT_RECORDS or now - self._last >= COMMIT_SECONDS

    def committed(self, now: float) -> None:
        """A commit was tried."""
        self._last = now
