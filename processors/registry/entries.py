"""From entries as written to entities: each checked by itself, all problems told."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from processors.registry.files import Entry
from processors.registry.places import Findings, Place
from processors.registry.wording import known_keys, path_of, sentence
from schemas.registry.entities import Entity, Period
from schemas.registry.index import parse_entity

_PRINTABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,60}")
_WITH_PERIOD: Final = frozenset({"mid", "grant"})
_ABOUT_A_PIECE: Final = frozenset({"grant", "subscription"})


@dataclass(frozen=True, slots=True)
class Declared:
    """An entity and where it is declared."""

    entity: Entity
    place: Place

    def __str__(self) -> str:
        """Kind and id, as problems name it."""
        return f"{self.entity.entity_kind} {self.entity.entity_id}"


@dataclass(slots=True)
class Declarations:
    """All files' entities; `named` also has the ids of entries that are wrong elsewhere.

    So one wrong merchant is one problem, and not one more for each reference to it.
    """

    entities: list[Declared] = field(default_factory=list)
    named: dict[tuple[str, str], Place] = field(default_factory=dict)

    def of(self, kind: str) -> Iterator[Declared]:
        """Those of one kind."""
        return (one for one in self.entities if one.entity.entity_kind == kind)

    def has(self, kind: str, entity_id: str) -> bool:
        """Whether an entry of this kind names itself so."""
        return (kind, entity_id) in self.named


def parse_entries(entries: Iterable[Entry], findings: Findings) -> Declarations:
    """Every entry as an entity; what is none is a problem."""
    declared = Declarations()
    for entry in entries:
        _note_name(entry, declared.named, findings)
        entity = _parsed(entry, findings)
        if entity is not None:
            declared.entities.append(Declared(entity, entry.place))
    return declared


def _note_name(entry: Entry, named: dict[tuple[str, str], Place], findings: Findings) -> None:
    name = _own_name(entry.kind, entry.value)
    if not isinstance(name, str):
        return
    before = named.setdefault((entry.kind, name), entry.place)
    if before is not entry.place and entry.kind != "mid":  # a MID may have several rows
        text = f"{_subject(entry)} is declared already at {before}; keep one, or choose another id"
        findings.problem(entry.place, text)


def _own_name(kind: str, value: Mapping[str, Any]) -> object:
    return value.get({"mid": "mid", "subscription": "name"}.get(kind, "id"))


def _parsed(entry: Entry, findings: Findings) -> Entity | None:
    internal = [key for key in entry.value if key.endswith("_")]
    for key in internal:
        keys = ", ".join(known_keys(entry.kind, entry.value))
        text = f"{key}: unknown key; remove it, or write one of: {keys}"
        findings.problem(entry.place.within(key), f"{_subject(entry)}: {text}")
    try:
        entity = parse_entity(entry.kind, entry.value)
    except ValidationError as error:
        _tell(entry, error, findings)
        _tell_more(entry, findings)
        return None
    return None if internal else entity


def _tell(entry: Entry, error: ValidationError, findings: Findings) -> None:
    for problem in error.errors(include_url=False):
        place = entry.place.within(*path_of(entry.kind, problem))
        findings.problem(place, f"{_subject(entry)}: {sentence(entry.kind, entry.value, problem)}")


def _tell_more(entry: Entry, findings: Findings) -> None:
    """Rules on a whole entry, which pydantic leaves out once one key of it is wrong."""
    if entry.kind in _WITH_PERIOD:
        period = {key: entry.value[key] for key in ("from", "until") if key in entry.value}
        try:
            Period.model_validate(period)
        except ValidationError as error:
            _tell(entry, error, findings)
    if entry.kind in _ABOUT_A_PIECE and ("mid" in entry.value) == (
        "tracking_number" in entry.value
    ):
        text = f"a {entry.kind} names either a mid or a tracking_number; correct it"
        findings.problem(entry.place, f"{_subject(entry)}: {text}")


def _subject(entry: Entry) -> str:
    named = _own_name(entry.kind, entry.value)
    kind = entry.kind.replace("_", " ")
    if isinstance(named, str) and _PRINTABLE_ID.fullmatch(named):
        return f"{kind} {named}"
    return kind
