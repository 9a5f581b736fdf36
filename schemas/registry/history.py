"""What each apply changed: the records of `usps.registry-history.v1`, key: the revision."""

from typing import Literal

from pydantic import Field

from schemas.event import Instant, JsonValue, Model


class RegistryChange(Model):
    """One entity that an apply added, changed or removed."""

    key: str = Field(description="kind/id")
    change: Literal["added", "changed", "removed"]
    before: dict[str, JsonValue] | None
    after: dict[str, JsonValue] | None


class RegistryHistory(Model):
    """One apply, or a part of a large one: `part` of `parts`, from 1."""

    revision: int
    applied_at: Instant
    applied_by: str
    part: int
    parts: int
    changes: list[RegistryChange]
