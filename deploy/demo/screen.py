"""What the demo shows: steps while it starts, then figures, in a terminal or as plain lines."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.demo.metrics import Reading

_PLAIN_EVERY_SECONDS: Final = 5.0
_FIGURE_WIDTH: Final = 7
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
    above = Table.grid()
    above.add_row(
        _counts("Callbacks answered", reading.answers),
        _counts("Waiting for", reading.lags),
        _counts("Events allowed, or not", _decisions(reading)),
    )
    return Group(Text(f"{rate:.0f} callbacks/s"), above, _merchants(reading))


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    table = _table(title, "")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True, min_width=_FIGURE_WIDTH)
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
