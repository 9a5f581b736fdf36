"""What would change: the declared registry beside the one in force."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from processors.registry.in_force import InForce
from processors.registry.load import Loaded
from schemas.errors import RegistryRefused
from schemas.registry.entities import Entity, Merchant
from schemas.registry.history import RegistryChange

_SIGNS: Mapping[str, str] = {"added": "+", "changed": "~", "removed": "-"}


@dataclass(frozen=True, slots=True)
class Change:
    """One entity that comes, changes or goes. `before` may be unreadable to this version."""

    key: str
    change: Literal["added", "changed", "removed"]
    before: Entity | None
    after: Entity | None

    def record(self) -> RegistryChange:
        """As the history topic has it."""
        return RegistryChange(
            key=self.key,
            change=self.change,
            before=None if self.before is None else self.before.record(),
            after=None if self.after is None else self.after.record(),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, removals last, from the revision in force."""

    revision: int
    changes: Sequence[Change]

    def count(self, change: str) -> int:
        """How many of `added`, `changed` or `removed`."""
        return sum(1 for one in self.changes if one.change == change)

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        changes = [one.record().model_dump(mode="json") for one in self.changes]
        return {"revision": self.revision, "changes": changes}

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        for one in self.changes:
            yield f"{_SIGNS[one.change]} {one.key}{_whole(one)}"
            if one.change == "changed":
                yield from _differences(one)
        yield self.summary()

    def summary(self) -> str:
        """One sentence."""
        if not self.changes:
            return f"Nothing changes; revision {self.revision} is in force."
        return (
            f"{self.count('added')} added, {self.count('changed')} changed, "
            f"{self.count('removed')} removed; revision {self.revision} is in force."
        )


def compare(loaded: Loaded, in_force: InForce) -> Plan:
    """Every difference.

    Raises:
        RegistryRefused: a merchant's partitions would change, or an entity is too large.
    """
    _refuse_other_partitions(loaded, in_force)
    return Plan(in_force.revision, list(_changes(loaded.entities, in_force)))


def _changes(declared: Mapping[str, Entity], in_force: InForce) -> Iterator[Change]:
    keys = in_force.keys()
    for key, after in declared.items():
        before = in_force.entity(key)
        if key not in keys:
            yield Change(key, "added", None, after)
        elif before != after:
            yield Change(key, "changed", before, after)
    for key in sorted(keys.difference(declared)):
        yield Change(key, "removed", in_force.entity(key), None)


def _refuse_other_partitions(loaded: Loaded, in_force: InForce) -> None:
    """Another count would put a piece's later events on another partition: out of order."""
    problems = []
    for key, entity in loaded.entities.items():
        if not isinstance(entity, Merchant):
            continue
        before = in_force.registry.merchant(entity.id)
        if before is not None and before.partitions != entity.partitions:
            problems.append(
                f"{loaded.places[key]}: merchant {entity.id}: partitions are {before.partitions} "
                f"and cannot change; write partitions: {before.partitions}"
            )
    if problems:
        raise RegistryRefused("registry_refused", "\n".join(problems))


def _whole(change: Change) -> str:
    """An added entity in full; its secrets are references."""
    if change.change != "added" or change.after is None:
        return ""
    return f"  {orjson.dumps(change.after.record()).decode()}"


def _differences(change: Change) -> Iterator[str]:
    before = {} if change.before is None else change.before.record()
    after = {} if change.after is None else change.after.record()
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            yield f"    {key}: {_text(before, key)} -> {_text(after, key)}"


def _text(record: Mapping[str, Any], key: str) -> str:
    return orjson.dumps(record[key]).decode() if key in record else "(none)"
