"""Reads entities out of registry files, without judging the rest of them."""

from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
import yaml
from pydantic import ValidationError

from schemas.errors import OperatorError
from schemas.registry.entities import Entity

_Kind = TypeVar("_Kind", bound=Entity)
_LINES: Final = ".jsonl"
_JSON: Final = ".json"


def entities_of(path: Path, model: type[_Kind]) -> list[_Kind]:
    """Those of one kind in a YAML, JSON or JSON Lines file. Raises `OperatorError`."""
    try:
        return [model.model_validate(entry) for entry in _entries(path, model.entity_kind)]
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        what = f"its {model.entity_kind}s" if isinstance(error, ValidationError) else "it"
        raise OperatorError(
            "registry_unreadable",
            f"{path}: cannot read {what} ({type(error).__name__}). "
            f"See what is wrong: scanwire-processors registry plan {path}",
        ) from None


def _entries(path: Path, kind: str) -> list[dict[str, Any]]:
    """One entity with its `kind` a line, or sections named for what they hold."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == _LINES:
        lines = (orjson.loads(line) for line in text.splitlines() if line.strip())
        return [_without_kind(line) for line in lines if line.get("kind") == kind]
    document = orjson.loads(text) if path.suffix == _JSON else yaml.load(text, yaml.CSafeLoader)
    return list((document or {}).get(f"{kind}s") or [])


def _without_kind(entity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entity.items() if name != "kind"}
