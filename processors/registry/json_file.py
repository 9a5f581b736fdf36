"""JSON and JSON Lines, with the line of everything; for registries too large for YAML."""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, NoReturn

from processors.registry.places import (
    Findings,
    OneLine,
    Path,
    Place,
    Unreadable,
    stands_twice,
)
from processors.registry.yaml_file import NodeLines, YamlValues, compose

_ESCAPE: Final = re.compile(r"\\(?:u....|.)")
_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e\n]")


class JsonLines:
    """The lines of a JSON document, looked for only when something is wrong with it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def line(self, path: Path) -> int:
        """The line of the key or list entry at the path, or of the nearest there is."""
        return self.nodes.line(path)

    @cached_property
    def nodes(self) -> NodeLines:
        """By YAML's reader, to which JSON is YAML once escapes and odd characters are gone."""
        plain = _NOT_PLAIN.sub("_", _ESCAPE.sub("_", self._text.replace("\t", " ")))
        try:
            return compose(plain)
        except Unreadable:
            return NodeLines(None)


class _Reader:
    """Python's JSON, with keys that stand twice told and numbers that are none refused."""

    def __init__(self) -> None:
        self.repeated: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=_refuse_constant
        )

    def read(self, text: str) -> Any:  # noqa: ANN401 -- what a file holds
        """The value of a text. Raises `Unreadable`."""
        self.repeated.clear()
        try:
            return self._decoder.decode(text)
        except json.JSONDecodeError as error:
            raise Unreadable(error.lineno, f"bad JSON: {error.msg}; correct it") from None
        except ValueError:
            raise Unreadable(1, "a number that JSON does not have; correct it") from None
        except RecursionError:
            raise Unreadable(1, "nested too deeply; write it flat") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            seen: set[str] = set()
            self.repeated += [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
        return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def read_json(text: str, file: str, order: int, findings: Findings) -> tuple[Place, Any]:
    """The document's value and place; keys that stand twice are problems. Raises `Unreadable`."""
    reader = _Reader()
    value = reader.read(text)
    lines = JsonLines(text)
    place = Place(file, order, lines)
    if reader.repeated and lines.nodes.root is not None:
        YamlValues(findings, place).value(lines.nodes.root)
    elif reader.repeated:
        findings.problem(place, stands_twice(reader.repeated[0]))
    return place, value


def read_json_lines(
    text: str, file: str, order: int, findings: Findings
) -> Iterator[tuple[Place, Any]]:
    """Each line's value with its place; unreadable lines are problems."""
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.isspace():
            continue
        place = Place(file, order, OneLine(number))
        try:
            value = reader.read(line)
        except Unreadable as error:
            findings.problem(place, error.text)
            continue
        for key in reader.repeated:
            findings.problem(place, stands_twice(key))
        yield place, value
