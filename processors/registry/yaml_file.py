"""YAML with the line of everything, and without YAML's surprises.

Dates stay text, a key that stands twice is told, tags and merge keys are refused.
"""

from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.constructor import SafeConstructor

from processors.registry.places import (
    Findings,
    OneLine,
    Path,
    Place,
    Unreadable,
    stands_twice,
)

MAX_DEPTH: Final = 40
TOO_DEEP: Final = "nested too deeply; write it flat"
# Aliases of aliases grow without bound: a few lines may mean billions of values.
MAX_VALUES: Final = 3_000_000
_TAG: Final = "tag:yaml.org,2002:"
_TEXT: Final = frozenset({_TAG + "str", _TAG + "timestamp", _TAG + "value"})
_CONSTRUCT: Final = {
    "int": SafeConstructor.construct_yaml_int,
    "float": SafeConstructor.construct_yaml_float,
    "bool": SafeConstructor.construct_yaml_bool,
}


@dataclass(frozen=True, slots=True)
class NodeLines:
    """The lines of a composed document."""

    root: yaml.Node | None

    def line(self, path: Path) -> int:
        """The line of the key or list entry at the path, or of the nearest there is."""
        node, line = self.root, 1
        if node is not None:
            line = _line(node.start_mark)
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return _line(key.start_mark), value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return _line(child.start_mark), child
    return None


def _line(mark: Any) -> int:  # noqa: ANN401 -- two classes of PyYAML's, one shape
    return 1 if mark is None else int(mark.line) + 1


def compose(text: str) -> NodeLines:
    """The document's nodes. Raises `Unreadable`."""
    try:
        _refuse_deep(text)
        return NodeLines(yaml.compose(text, Loader=yaml.CSafeLoader))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(line, "a character that YAML does not allow; remove it") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = _line(mark)
        raise Unreadable(line, f"bad YAML: {error.problem or error.context}; correct it") from None
    except yaml.YAMLError:
        raise Unreadable(1, "bad YAML; correct it") from None


def _refuse_deep(text: str) -> None:
    """Asked before composing, which recurses in C: a deep document would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Unreadable(_line(event.start_mark), TOO_DEEP)


class YamlValues:
    """Turns composed nodes into Python's values, telling what is odd."""

    def __init__(self, findings: Findings, document: Place) -> None:
        self._findings = findings
        self._document = document
        self._left = MAX_VALUES

    def value(self, node: yaml.Node, depth: int = 0) -> Any:  # noqa: ANN401 -- what a file holds
        """The value of a node; text for dates. Raises `Unreadable` for what has no end."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise Unreadable(_line(node.start_mark), TOO_DEEP)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return self._scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "a list or mapping as a key; write a plain word")
            elif key.value in values:
                self._problem(key, stands_twice(key.value))
            elif key.tag == _TAG + "merge":
                self._problem(key, "merge keys (<<) are not read; write the keys out")
            else:
                values[key.value] = self.value(value, depth + 1)
        return values

    def _scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 -- what a file holds
        if node.tag in _TEXT:
            return node.value
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            return None
        construct = _CONSTRUCT.get(kind)
        if construct is None:
            self._problem(node, "a YAML tag; remove it, plain values are enough")
            return None
        try:
            return construct(SafeConstructor(), node)
        except (ValueError, KeyError, OverflowError):
            self._problem(node, f"no {kind} that can be read; correct it or put it in quotes")
            return None

    def _problem(self, node: yaml.Node, text: str) -> None:
        line = _line(node.start_mark)
        place = Place(self._document.file, self._document.order, OneLine(line))
        self._findings.problem(place, text)


def read_yaml(text: str, file: str, order: int, findings: Findings) -> tuple[Place, Any]:
    """The document's value and place; None where it is empty. Raises `Unreadable`."""
    lines = compose(text)
    place = Place(file, order, lines)
    if lines.root is None:
        return place, None
    return place, YamlValues(findings, place).value(lines.root)
