"""Where something stands in a file, and what was found wrong there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.errors import RegistryRefused

# A wrong export can be wrong in every line: what is printed stays readable.
MAX_PRINTED: Final = 1_000

Path = Sequence[str | int]


class Lines(Protocol):
    """Knows the lines of one document."""

    def line(self, path: Path) -> int:
        """The line of what stands at this path, or of the nearest that does; from 1."""


@dataclass(frozen=True, slots=True)
class OneLine:
    """A document of one line, as JSON Lines has them."""

    number: int

    def line(self, path: Path) -> int:  # noqa: ARG002 -- all of it stands on that line
        """That line."""
        return self.number


@dataclass(frozen=True, slots=True)
class Place:
    """Something in a file; `order` is the file's position among those given."""

    file: str
    order: int
    lines: Lines
    path: tuple[str | int, ...] = ()

    def line(self, *more: str | int) -> int:
        """Its line, or that of something in it."""
        return self.lines.line((*self.path, *more))

    def within(self, *more: str | int) -> "Place":
        """Something in it."""
        return Place(self.file, self.order, self.lines, (*self.path, *more))

    def __str__(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line()}"


class Unreadable(Exception):
    """A document cannot be read at all: what is wrong, and the line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def stands_twice(key: str) -> str:
    """The problem of a key that a mapping has more than once."""
    return f"the key {key!r} stands twice; keep one of them"


class Findings:
    """Everything that is wrong (problems: refused) or doubtful (warnings) in all files."""

    def __init__(self) -> None:
        self._problems: dict[tuple[int, int, str], None] = {}
        self._warnings: dict[tuple[int, int, str], None] = {}

    def problem(self, place: Place, text: str) -> None:
        """What is refused: what is wrong, and after a semicolon what to do."""
        self._problems[_entry(place, text)] = None

    def warning(self, place: Place, text: str) -> None:
        """What is told and let through."""
        self._warnings[_entry(place, text)] = None

    @property
    def warnings(self) -> list[str]:
        """In the order of the files and lines."""
        return _printed(self._warnings)

    def refuse_if_any(self) -> None:
        """Raises `RegistryRefused` with every problem, a line each."""
        if self._problems:
            raise RegistryRefused("registry_refused", "\n".join(_printed(self._problems)))


def _entry(place: Place, text: str) -> tuple[int, int, str]:
    line = place.line()
    return place.order, line, f"{place.file}:{line}: {text}"


def _printed(entries: dict[tuple[int, int, str], None]) -> list[str]:
    texts = [text for _, _, text in sorted(entries)]
    if len(texts) > MAX_PRINTED:
        more = len(texts) - MAX_PRINTED
        return [*texts[:MAX_PRINTED], f"and {more} more like these"]
    return texts
