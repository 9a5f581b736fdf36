"""One transaction per batch and input partition (design, section 6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka.structs import TopicPartition

from processors.consume.stage import Stage
from processors.program import Tools


@dataclass(frozen=True, slots=True)
class Observers:
    """What the program counts.

    Attributes:
        lag: (input partition, records not yet processed).
        batch_seconds: one committed batch, from its records in hand to the commit.
        aborted: a transaction was given up and is tried again.
    """

    lag: Callable[[int, int], None]
    batch_seconds: Callable[[float], None]
    aborted: Callable[[], None]


class TransactionLoop:
    """A `program.Service`: one worker per assigned partition of `topic`.

    `group` is the program's short name ("packages"): the consumer group, the transactional
    ids and the `destination` of dead letters are made of it. `needs`: other topics that must
    exist before work begins (the output topics).
    """

    def __init__(
        self,
        tools: Tools,
        *,
        group: str,
        topic: str,
        needs: Sequence[str],
        make_stage: Callable[[TopicPartition], Stage],
        on_lag: Callable[[int, int], None],
        on_batch_seconds: Callable[[float], None],
        on_abort: Callable[[], None],
    ) -> None:
        self._tools = tools
        self._group = group
        self._topic = topic
        self._needs = tuple(needs)
        self._make_stage = make_stage
        self._observers = Observers(on_lag, on_batch_seconds, on_abort)

    async def run(self) -> None:
        """Works until `stop`."""

    async def stop(self) -> None:
        """Lets each worker finish the batch in hand, leaves the group, returns from `run`."""

    def readiness(self) -> Sequence[str]:
        """What stands in the way, a sentence each: missing topics, restoring, lost positions."""
        return []
