"""Registry files, read whole and checked whole: every problem is told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processors.registry.checks import check_together
from processors.registry.destination_checks import check_destinations
from processors.registry.entries import parse_entries
from processors.registry.files import read_files
from processors.registry.places import Findings, Place
from processors.registry.secret_checks import check_secrets
from schemas.registry.entities import Entity, Merchant
from schemas.secrets import Secrets
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files declare, by record key, and what is doubtful about it."""

    entities: Mapping[str, Entity]
    places: Mapping[str, Place]
    warnings: Sequence[str]

    @property
    def merchant_partitions(self) -> dict[str, int]:
        """Partitions of each merchant's topic, by merchant id."""
        merchants = (one for one in self.entities.values() if isinstance(one, Merchant))
        return {merchant.id: merchant.partitions for merchant in merchants}


def load(paths: Sequence[Path], secrets: Secrets, settings: Settings) -> Loaded:
    """Reads and merges the files.

    Raises:
        RegistryRefused: every problem, `file:line: what is wrong; what to do`, a line each.
    """
    findings = Findings()
    declared = parse_entries(read_files(paths, findings), findings)
    check_together(declared, findings)
    check_destinations(declared, settings, findings)
    check_secrets(declared, secrets, findings)
    findings.refuse_if_any()
    entities = {one.entity.key: one.entity for one in declared.entities}
    places = {one.entity.key: one.place for one in declared.entities}
    return Loaded(entities, places, findings.warnings)
