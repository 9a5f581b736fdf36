"""Writes the JSON Schema (2020-12) of every record to `schemas/json/`, from the models.

`python -m schemas.json_schema` writes; with `--check` it names the files that are stale and
exits 1. It is a tool for those who change a model; no program runs it.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from schemas.event import ScanEvent
from schemas.package import PackageState
from schemas.records import DeadLetter, Decision, Delivery, Quarantined, WithheldRecord
from schemas.registry.destinations import DestinationRecord
from schemas.registry.entities import (
    Grant,
    Merchant,
    MerchantAccessToken,
    MidOwnership,
    Subscription,
    UspsAccount,
)
from schemas.registry.history import RegistryHistory
from schemas.registry.log import RevisionMarker
from schemas.registry.observed import (
    ObservedDisabled,
    ObservedStart,
    ObservedSubscription,
    ObservedToken,
)
from schemas.update import TrackingUpdate

RECORDS: Final[Mapping[str, type[BaseModel]]] = {
    "tracking_update": TrackingUpdate,
    "scan_event": ScanEvent,
    "package_state": PackageState,
    "withheld": WithheldRecord,
    "quarantined": Quarantined,
    "dead_letter": DeadLetter,
    "decision": Decision,
    "delivery": Delivery,
    "registry_usps_account": UspsAccount,
    "registry_merchant": Merchant,
    "registry_mid": MidOwnership,
    "registry_merchant_access_token": MerchantAccessToken,
    "registry_grant": Grant,
    "registry_subscription": Subscription,
    "registry_destination": DestinationRecord,
    "registry_revision": RevisionMarker,
    "registry_history": RegistryHistory,
    "observed_subscription": ObservedSubscription,
    "observed_disabled": ObservedDisabled,
    "observed_token": ObservedToken,
    "observed_start": ObservedStart,
}
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER: Final = Path(__file__).parent / "json"


def schema_of(record: type[BaseModel]) -> dict[str, Any]:
    """The schema that a record as published is valid against; fields may be added to it."""
    return {"$schema": DIALECT, **record.model_json_schema(mode="validation")}


def schema_texts() -> dict[str, str]:
    """Every schema as text, by file name."""
    return {
        f"{name}.json": json.dumps(schema_of(record), indent=2, ensure_ascii=False) + "\n"
        for name, record in RECORDS.items()
    }


def stale_files(folder: Path) -> list[str]:
    """The names of files that are absent, differ from the models or belong to none."""
    texts = schema_texts()
    names = texts.keys() | {path.name for path in folder.glob("*.json")}
    return sorted(name for name in names if _read(folder / name) != texts.get(name))


def write_files(folder: Path) -> None:
    """Makes the folder's `.json` files what the models say, and removes others."""
    texts = schema_texts()
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale_files(folder):
        if name in texts:
            (folder / name).write_text(texts[name], encoding="utf-8")
        else:
            (folder / name).unlink()


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """The command: 0 well, 1 with `--check` and stale files."""
    parser = argparse.ArgumentParser(prog="python -m schemas.json_schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    if not parser.parse_args(arguments).check:
        write_files(folder)
        return 0
    stale = stale_files(folder)
    for name in stale:
        sys.stderr.write(f"{name} is stale: run python -m schemas.json_schema\n")
    return 1 if stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
