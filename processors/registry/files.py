"""Registry files as entries: one raw entity each, with its kind and its place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from processors.registry.json_file import read_json, read_json_lines
from processors.registry.places import Findings, OneLine, Place, Unreadable
from processors.registry.yaml_file import read_yaml

# The sections of a file, in the order in which people write them, and the kind of each.
SECTIONS: Final = {
    "usps_accounts": "usps_account",
    "merchants": "merchant",
    "mids": "mid",
    "merchant_access_tokens": "merchant_access_token",
    "grants": "grant",
    "subscriptions": "subscription",
    "destinations": "destination",
}
DESTINATION_KINDS: Final = ("http", "kafka", "postgres", "object_store")
_LINE_KINDS: Final = {**SECTIONS, **{kind: kind for kind in SECTIONS.values()}}
_READERS: Final[dict[str, Callable[[str, str, int, Findings], tuple[Place, Any]]]] = {
    ".yaml": read_yaml,
    ".yml": read_yaml,
    ".json": read_json,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entity as written."""

    kind: str
    value: dict[str, Any]
    place: Place


def read_files(paths: Sequence[Path], findings: Findings) -> Iterator[Entry]:
    """Every entity of every file; what cannot be read is a problem."""
    for order, path in enumerate(paths):
        text = _text_of(path, order, findings)
        if text is not None:
            yield from _read_text(path, order, text, findings)


def _text_of(path: Path, order: int, findings: Findings) -> str | None:
    start = Place(str(path), order, OneLine(1))
    try:
        raw = path.read_bytes()
    except OSError as error:
        findings.problem(start, f"cannot be read ({error.strerror}); give a registry file")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(str(path), order, OneLine(raw.count(b"\n", 0, error.start) + 1))
        findings.problem(place, "not UTF-8; save it as UTF-8")
        return None
    if not text.strip():
        findings.problem(start, "the file is empty; declare something, e.g. merchants: []")
        return None
    return text


def _read_text(path: Path, order: int, text: str, findings: Findings) -> Iterator[Entry]:
    file, suffix = str(path), path.suffix.lower()
    start = Place(file, order, OneLine(1))
    if suffix == ".jsonl":
        for place, value in read_json_lines(text, file, order, findings):
            yield from _line_entry(place, value, findings)
        return
    reader = _READERS.get(suffix)
    if reader is None:
        findings.problem(start, "unknown kind of file; name it .yaml, .yml, .json or .jsonl")
        return
    try:
        place, value = reader(text, file, order, findings)
    except Unreadable as error:
        findings.problem(Place(file, order, OneLine(error.line)), error.text)
        return
    yield from _section_entries(place, value, findings)


def _line_entry(place: Place, value: Any, findings: Findings) -> Iterator[Entry]:  # noqa: ANN401
    if not isinstance(value, dict):
        findings.problem(place, 'no entity; write one object a line: {"kind": "grant", …}')
        return
    kind = value.get("kind")
    if kind in DESTINATION_KINDS:
        yield Entry("destination", value, place)
    elif kind in ("destination", "destinations"):
        kinds = ", ".join(DESTINATION_KINDS)
        findings.problem(place, f"a destination is marked by its own kind; write one of: {kinds}")
    elif isinstance(kind, str) and kind in _LINE_KINDS:
        del value["kind"]
        yield Entry(_LINE_KINDS[kind], value, place)
    else:
        known = ", ".join((*SECTIONS.values(), *DESTINATION_KINDS))
        findings.problem(place, f'no known kind; write "kind": one of {known}')


def _section_entries(place: Place, value: Any, findings: Findings) -> Iterator[Entry]:  # noqa: ANN401
    if value is None:
        findings.problem(place, "the file is empty; declare something, e.g. merchants: []")
        return
    if not isinstance(value, dict):
        findings.problem(place, f"no sections; write one of: {', '.join(SECTIONS)}")
        return
    for section, entries in value.items():
        here = place.within(section)
        if section not in SECTIONS:
            findings.problem(here, _unknown_section(section))
        elif entries is not None and not isinstance(entries, list):
            findings.problem(here, f"{section} is no list; begin each entry with '- '")
        else:
            yield from _entries_of(SECTIONS[section], entries or [], here, findings)


def _entries_of(
    kind: str, entries: list[Any], section: Place, findings: Findings
) -> Iterator[Entry]:
    for index, value in enumerate(entries):
        place = section.within(index)
        if isinstance(value, dict):
            yield Entry(kind, value, place)
        else:
            findings.problem(place, f"no {kind}; write its keys and values, e.g. id: …")


def _unknown_section(section: str) -> str:
    close = get_close_matches(section, SECTIONS, 1, 0.6)
    meant = f"did you mean {close[0]}?" if close else f"write one of: {', '.join(SECTIONS)}"
    return f"unknown section {section!r}; {meant}"
