"""What is in force, written as a registry file would have it."""

from collections.abc import Mapping
from typing import Any

import yaml

from processors.registry.files import SECTIONS
from processors.registry.in_force import InForce
from schemas.errors import OperatorError


def kind_of(word: str) -> str:
    """The entity kind that an operator's word means. Raises `OperatorError`."""
    kinds = {**SECTIONS, **{kind: kind for kind in SECTIONS.values()}}
    if word not in kinds:
        raise OperatorError(
            "unknown_kind",
            f"there is no {word!r} in a registry; write one of: {', '.join(SECTIONS)}",
        )
    return kinds[word]


def in_force_document(
    in_force: InForce, kind: str | None = None, entity_id: str | None = None
) -> dict[str, Any]:
    """The revision, and the wanted sections' entities. Raises `OperatorError`: no such one."""
    document = _heading(in_force)
    for section, name in SECTIONS.items():
        if kind not in (None, name):
            continue
        entries = [
            _readable(entity.record())
            for entity in in_force.registry.all(name)
            if entity_id in (None, entity.entity_id)
        ]
        if entity_id is not None and not entries:
            raise OperatorError(
                "not_in_force", f"no {name} {entity_id!r} is in force; see registry show {section}"
            )
        document[section] = entries
    return document


def _readable(record: dict[str, Any]) -> dict[str, Any]:
    """As people write it: what it is first, the period last."""
    period = {key: record[key] for key in ("from", "until") if key in record}
    return {key: value for key, value in record.items() if key not in period} | period


def _heading(in_force: InForce) -> dict[str, Any]:
    marker = in_force.marker
    if marker is None:
        return {"revision": 0, "applied_at": None, "applied_by": None}
    return marker.model_dump(mode="json")


def as_registry_file(document: Mapping[str, Any]) -> str:
    """The document as YAML that `registry plan` reads; the revision stands in a comment."""
    sections = {name: document[name] for name in SECTIONS if document.get(name)}
    if document["revision"] == 0:
        heading = "# Nothing was ever applied."
    else:
        heading = (
            f"# Revision {document['revision']}, applied at {document['applied_at']} "
            f"by {document['applied_by']}."
        )
    body = yaml.dump(sections, Dumper=yaml.CSafeDumper, sort_keys=False) if sections else ""
    return f"{heading}\n{body}"
