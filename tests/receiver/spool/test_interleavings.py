"""Any order of publishing, faults and crashes: what was answered 200 is in the log, in order."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.receiver.fakes import FakeKafka, eventually
from tests.receiver.spooling import TOPIC, SpoolWorld, new_kafka

KEYS = ("a", "b", "c", "d")
# Short, so that a run meets it often; nothing here asserts how long anything took.
TIMEOUT_SECONDS = 0.01
FAULTS = ("away", "slow", "back", "breaks", "pause", "long pause", "crash", "crash, batches lost")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=12)),
        st.tuples(st.sampled_from(FAULTS), st.just([])),
    ),
    max_size=25,
)


class Run:
    """One interleaving, over as many processes as it has crashes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes = self._count = 0
        self._sent: list[tuple[str, str, asyncio.Task[None]]] = []
        self.kafka: FakeKafka = new_kafka(3)
        self.accepted: list[tuple[str, str]] = []
        self.world = self._process()

    def _process(self) -> SpoolWorld:
        root = self._directory / str(self._processes)
        world = SpoolWorld(self.kafka, root, timeout_seconds=TIMEOUT_SECONDS)
        world.start()
        return world

    async def step(self, name: str, keys: list[str]) -> None:
        """Does what it says."""
        if name == "publish":
            for key in keys:
                self._count += 1
                value = f"{self._count:05}"
                self._sent.append((key, value, self.world.publish(value, key)))
        elif name.startswith("crash"):
            await self._crash(lost="lost" in name)
        elif name.endswith("pause"):
            await asyncio.sleep(5 * TIMEOUT_SECONDS if "long" in name else 0.001)
        elif name == "back":
            self.kafka.answer()
        elif name == "breaks":
            self.kafka.fail_next = OutOfOrderSequenceNumber()
        else:
            self.kafka.reachable, self.kafka.answering = name != "away", False
        await asyncio.sleep(0)

    async def _crash(self, *, lost: bool) -> None:
        """What was answered up to now counts; what is on the way may arrive, or not."""
        self._note_accepted()
        self._processes += 1
        if lost:
            self.kafka.lose()
        await self.world.crash(self._directory / str(self._processes))
        for *_, task in self._sent:
            task.cancel()  # nobody is answered by a dead process
        self._sent.clear()
        self.world = self._process()

    def _note_accepted(self) -> None:
        known = set(self.accepted)
        for key, value, task in self._sent:
            if task.done() and task.exception() is None and (key, value) not in known:
                self.accepted.append((key, value))

    async def finish(self) -> None:
        """All is well again: everything comes out."""
        self.kafka.fail_next = None
        self.kafka.answer()
        unanswered = [task for *_, task in self._sent if not task.done()]
        await asyncio.gather(*unanswered, return_exceptions=True)
        self._note_accepted()
        await self.world.connected()
        await eventually(self._is_quiet, 20)
        await self.world.end()

    def _is_quiet(self) -> bool:
        lanes = self.world.door.lanes()
        return not self.world.waiting and all(lane.idle and lane.flying is None for lane in lanes)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_any_interleaving(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[str]]]
) -> None:
    """Nothing answered 200 is missing, each key is in order, and without faults nothing repeats."""
    directory = tmp_path_factory.mktemp("spool")

    async def run() -> Run:
        one = Run(directory)
        await one.world.connected()
        for name, keys in steps:
            await one.step(name, keys)
        await one.finish()
        return one

    done = asyncio.run(run())
    shutil.rmtree(directory)
    log = [(r.key.decode(), r.value.decode()) for r in done.kafka.written if r.topic == TOPIC]
    accepted = set(done.accepted)
    assert accepted <= set(log)
    for key in KEYS:
        in_log = [value for k, value in dict.fromkeys(log) if k == key and (k, value) in accepted]
        assert in_log == sorted(in_log)
    if {name for name, _ in steps} <= {"publish", "pause", "long pause", "away", "back"}:
        assert not {one: n for one, n in Counter(log).items() if n > 1}
