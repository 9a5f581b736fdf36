"""What the demo shows: steps while it starts, then figures, in a terminal or as plain lines."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.demo.metrics import Reading

_PLAIN_EVERY_SECONDS: Final = 5.0
_WORDS: Final = frozenset({"Answered", "Waiting for", "Allowed, or why not", "Merchants got"})
_ALLOWED: Final = "allowed"
_ACCEPTED: Final = "accepted"


@dataclass(frozen=True, slots=True)
class Place:
    """Something to look at, and where it is."""

    what: str
    where: str


class Screen:
    """Says sentences, and shows readings."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._last: tuple[float, Reading] | None = None
        self._plain_at = 0.0

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._console.print(Text(sentence), soft_wrap=True)

    def begin(self, places: list[Place]) -> None:
        """From now on figures are shown; `places` say where to look further."""
        for place in places:
            self.say(f"  {place.what}: {place.where}")
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.start()

    def end(self) -> None:
        """No more figures."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, reading: Reading) -> None:
        """The figures of this moment."""
        now = time.monotonic()
        rate = self._rate(now, reading)
        self._last = (now, reading)
        if self._live is not None:
            self._live.update(_whole(reading, rate))
        elif now - self._plain_at >= _PLAIN_EVERY_SECONDS:
            self._plain_at = now
            self.say(_line(reading, rate))

    def _rate(self, now: float, reading: Reading) -> float:
        if self._last is None or now <= self._last[0]:
            return 0.0
        before, last = self._last
        gained = sum(reading.answers.values()) - sum(last.answers.values())
        return max(0.0, gained / (now - before))


def _line(reading: Reading, rate: float) -> str:
    answers = ", ".join(f"{slug} {count}" for slug, count in sorted(reading.answers.items()))
    lags = ", ".join(f"{name} {lag}" for name, lag in reading.lags.items())
    merchants = ", ".join(
        f"{name} {counts['distinct']} ({_latency(counts)})"
        for name, counts in reading.merchants.items()
    )
    withheld = ", ".join(f"{reason} {count}" for reason, count in _reasons(reading))
    return (
        f"{rate:.0f} callbacks/s | answers: {answers or 'none'} | waiting: {lags} | "
        f"received: {merchants or 'nothing'} | withheld: {withheld or 'nothing'}"
    )


def _whole(reading: Reading, rate: float) -> RenderableType:
    """Low enough for a terminal of 24 lines."""
    return Group(Text(f"{rate:.0f} callbacks/s"), _counts(reading), _merchants(reading))


def _counts(reading: Reading) -> Table:
    """Three lists side by side: what was answered, what waits, what was decided."""
    lists = (reading.answers, reading.lags, _decisions(reading))
    table = _table("Answered", "", "Waiting for", "", "Allowed, or why not", "")
    for row in zip_longest(*(counts.items() for counts in lists), fillvalue=("", None)):
        cells = ((name, "" if count is None else f"{count:,}") for name, count in row)
        table.add_row(*chain.from_iterable(cells))
    return table


def _table(*columns: str) -> Table:
    """The figures' columns are not cut before the others are."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in columns:
        words = column in _WORDS
        table.add_column(
            column, justify="left" if words else "right", no_wrap=not words, overflow="fold"
        )
    return table


def _decisions(reading: Reading) -> dict[str, int]:
    allowed = {_ALLOWED: reading.decisions.get(_ALLOWED, 0)}
    return allowed | dict(_reasons(reading))


def _merchants(reading: Reading) -> Table:
    table = _table("Merchants got", "accepted", "filtered", "other", "from callback to merchant")
    for destination in sorted({*reading.deliveries, *reading.merchants}):
        counts = dict(reading.deliveries.get(destination, {}))
        accepted, filtered = counts.pop(_ACCEPTED, 0), counts.pop("filtered", 0)
        others = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        latency = _latency(reading.merchants.get(destination, {}))
        table.add_row(destination, f"{accepted:,}", f"{filtered:,}", others or "0", latency)
    return table


def _reasons(reading: Reading) -> Iterator[tuple[str, int]]:
    return ((name, count) for name, count in reading.decisions.items() if name != _ALLOWED)


def _latency(counts: Mapping[str, Any]) -> str:
    seconds = counts.get("recent_latency_seconds") or {}
    if seconds.get("p50") is None:
        return ""
    return f"p50 {seconds['p50'] * 1000:.0f} ms, p99 {seconds['p99'] * 1000:.0f} ms"
