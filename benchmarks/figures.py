"""One figure measured, and the table of all."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A row: what was measured, how much, against which goal, and what the machine lost.

    `steal`: share of the machine's CPU time that went elsewhere meanwhile, 0 to 1.
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    steal: float = 0.0
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None


def show(figures: list[Figure]) -> None:
    """The table on the terminal."""
    table = Table(title="scanwire on this machine")
    for column in ("what", "measured", "goal", "", "steal", "note"):
        table.add_column(column)
    for figure in figures:
        goal = ""
        if figure.at_least is not None:
            goal = f"≥ {figure.at_least:g}"
        elif figure.at_most is not None:
            goal = f"≤ {figure.at_most:g}"
        verdict = {None: "", True: "holds", False: "missed"}[figure.holds]
        measured = f"{figure.value:,.3g} {figure.unit}"
        if abs(figure.value) >= 1000:
            measured = f"{figure.value:,.0f} {figure.unit}"
        table.add_row(figure.name, measured, goal, verdict, f"{figure.steal:.0%}", figure.note)
    Console().print(table)


def write(figures: list[Figure], path: Path) -> None:
    """The same as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
