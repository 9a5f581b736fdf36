"""What the demo shows: steps while it starts, then figures, in a terminal or as plain lines."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.demo.metrics import Reading

_PLAIN_EVERY_SECONDS: Final = 5.0
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
        self._places: list[Place] = []
        self._last: tuple[float, Reading] | None = None
        self._plain_at = 0.0

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._console.print(Text(sentence), soft_wrap=True)

    def begin(self, places: list[Place]) -> None:
        """From now on figures are shown; `places` say where to look further."""
        self._places = places
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=False)
            self._live.start()
        else:
            for place in places:
                self.say(f"{place.what}: {place.where}")

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
            self._live.update(_whole(reading, rate, self._places))
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


def _whole(reading: Reading, rate: float, places: list[Place]) -> RenderableType:
    return Group(_callbacks(reading, rate), _merchants(reading), _withheld(reading), _where(places))


def _callbacks(reading: Reading, rate: float) -> Table:
    table = Table(title=f"Callbacks: {rate:.0f}/s", title_justify="left", expand=True)
    table.add_column("answer")
    table.add_column("callbacks", justify="right")
    table.add_column("waiting for")
    table.add_column("records", justify="right")
    answers = sorted(reading.answers.items(), key=lambda entry: -entry[1])
    lags = list(reading.lags.items())
    for row in range(max(len(answers), len(lags))):
        left = (answers[row][0], f"{answers[row][1]:,}") if row < len(answers) else ("", "")
        right = (lags[row][0], f"{lags[row][1]:,}") if row < len(lags) else ("", "")
        table.add_row(*left, *right)
    return table


def _merchants(reading: Reading) -> Table:
    table = Table(title="What merchants got", title_justify="left", expand=True)
    for name in ("destination", "accepted", "filtered", "other", "from callback to merchant"):
        table.add_column(name, justify="left" if name == "destination" else "right")
    for destination in sorted({*reading.deliveries, *reading.merchants}):
        counts = dict(reading.deliveries.get(destination, {}))
        accepted, filtered = counts.pop(_ACCEPTED, 0), counts.pop("filtered", 0)
        others = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        latency = _latency(reading.merchants.get(destination, {}))
        table.add_row(destination, f"{accepted:,}", f"{filtered:,}", others or "0", latency)
    return table


def _withheld(reading: Reading) -> Table:
    table = Table(title="Decisions of the router", title_justify="left", expand=True)
    table.add_column("decision")
    table.add_column("events and parties", justify="right")
    table.add_row(_ALLOWED, f"{reading.decisions.get(_ALLOWED, 0):,}")
    for reason, count in _reasons(reading):
        table.add_row(f"withheld: {reason}", f"{count:,}")
    return table


def _where(places: list[Place]) -> Table:
    table = Table(title="Where to look (Ctrl-C ends)", title_justify="left", expand=True)
    table.add_column("what")
    table.add_column("where", overflow="fold")
    for place in places:
        table.add_row(place.what, place.where)
    return table


def _reasons(reading: Reading) -> Iterator[tuple[str, int]]:
    return ((name, count) for name, count in reading.decisions.items() if name != _ALLOWED)


def _latency(counts: Mapping[str, Any]) -> str:
    seconds = counts.get("recent_latency_seconds") or {}
    if seconds.get("p50") is None:
        return ""
    return f"p50 {seconds['p50'] * 1000:.0f} ms, p99 {seconds['p99'] * 1000:.0f} ms"
