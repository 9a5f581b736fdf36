"""The metrics of all workers as one exposition that does not fall back when a worker dies."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest

from receiver.workers.sums import (
    Families,
    add_up,
    only_lasting,
    read_exposition,
    write_exposition,
)
from schemas.metrics import WorkersMetrics


class Scraped(Protocol):
    """A worker, as far as its metrics go."""

    @property
    def number(self) -> int:
        """From 0; the next worker in its place has the same."""

    async def exposition(self) -> str | None:
        """None if it does not answer in time."""


class Scrape:
    """Keeps what each worker counted: of one that ended for good, else until it answers again.

    What a killed worker counted after its last scrape is lost, as it is for a lone process.
    """

    def __init__(
        self, numbers: Iterable[int], registry: CollectorRegistry, metrics: WorkersMetrics
    ) -> None:
        self._numbers = numbers
        self._registry = registry
        self._metrics = metrics
        self._gone: Families = {}
        self._seen: dict[Scraped, Families] = {}
        self._asking = asyncio.Lock()

    def started(self, worker: Scraped) -> None:
        """It is asked from now on."""
        self._seen[worker] = {}

    async def ended(self, worker: Scraped, last_word: str | None) -> None:
        """Its counts stay: by its last word, or else as they were last seen."""
        last = await asyncio.to_thread(_read, [last_word])
        seen = self._seen.pop(worker)
        self._gone = add_up([self._gone, only_lasting(last[0] or seen)])

    async def exposition(self) -> bytes:
        """Asks all, and adds up. Who does not answer adds what it had counted when it last did."""
        async with self._asking:
            workers = list(self._seen)
            texts = await asyncio.gather(*(worker.exposition() for worker in workers))
            read = await asyncio.to_thread(_read, texts)
            # Whoever ended meanwhile is in what is gone.
            answers = {
                worker: families
                for worker, families in zip(workers, read, strict=True)
                if families is not None and worker in self._seen
            }
            self._seen |= {worker: only_lasting(found) for worker, found in answers.items()}
            up = {worker.number for worker in answers}
            for number in self._numbers:
                self._metrics.up.labels(str(number)).set(number in up)
            parts = [self._gone, *({**self._seen, **answers}.values())]
            return await asyncio.to_thread(self._write, parts)

    def _write(self, parts: Sequence[Families]) -> bytes:
        return generate_latest(self._registry) + write_exposition(add_up(parts))


def _read(texts: Sequence[str | None]) -> list[Families | None]:
    return [None if text is None else read_exposition(text) for text in texts]
