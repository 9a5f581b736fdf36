"""Registry files, read whole and checked whole: every problem is told at once."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processors.registry.checks import check_together
from processors.registry.destination_checks import check_destinations
from processors.registry.entries import parse_entries
from processors.registry.files import read_files
from processors.registry.places import Findings
from processors.registry.secret_checks import check_secrets
from schemas.registry.entities import Entity, Merchant
from schemas.secrets import Secrets
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files declare, by record key, and what is doubtful about it."""

    entities: Mapping[str, Entity]
    warnings: Sequence[str]

    @property
    def merchant_partitions(self) -> dict[str, int]:
        """Partitions of each merchant's topic, by merchant id."""
        merchants = (one for one in self.entities.values() if isinstance(one, Merchant))
        return {merchant.id: merchant.partitions for merchant in merchants}


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hundreds of thousands of entities are made and none is garbage: looking costs two thirds."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def load(paths: Sequence[Path], secrets: Secrets, settings: Settings) -> Loaded:
    """Reads and merges the files.

    Raises:
        RegistryRefused: every problem, `file:line: what is wrong; what to do`, a line each.
    """
    findings = Findings()
    with _without_collection():
        declared = parse_entries(read_files(paths, findings), findings)
    check_together(declared, findings)
    check_destinations(declared, settings, findings)
    check_secrets(declared, secrets, findings)
    findings.refuse_if_any()
    entities = {one.entity.key: one.entity for one in declared.entities}
    return Loaded(entities, findings.warnings)
