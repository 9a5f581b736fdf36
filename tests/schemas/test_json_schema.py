from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.event import ScanEvent
from schemas.json_schema import DIALECT, FOLDER, RECORDS, main, schema_of, write_files
from schemas.records import WithheldRecord
from schemas.registry.observed import ObservedKind
from schemas.update import TrackingUpdate
from tests.schemas.usps.feed import normalized, payload_of, scan

FROM_PACKAGES: dict[str, Any] = {
    "sequence": 1,
    "piece": 1,
    "new_evidence": False,
    "variant_of": None,
    "first_in_category": None,
    "late": False,
    "package_category": None,
    "expected_delivery": None,
}
SCAN_EVENT: dict[str, Any] = normalized(payload_of(scan())).record["events"][0] | FROM_PACKAGES


def test_files_are_what_the_models_say() -> None:
    """Whoever changes a model writes the files anew."""
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", RECORDS)
def test_every_schema_is_one(name: str) -> None:
    """Each is a valid schema of the dialect it names, with fields that readers may rely on."""
    schema = schema_of(RECORDS[name])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert (FOLDER / f"{name}.json").is_file()


def test_every_kind_of_observation_has_one() -> None:
    """A new kind of observed record needs its schema."""
    assert {f"observed_{kind.value}" for kind in ObservedKind} <= RECORDS.keys()


@pytest.mark.parametrize(
    "event",
    [
        SCAN_EVENT,
        SCAN_EVENT | {"a_later_field": {"anything": 1}},
        SCAN_EVENT | {"evidence": [], "piece_evidence": None},
    ],
)
def test_events_are_valid_with_and_without_evidence(event: dict[str, Any]) -> None:
    """A merchant's record has no evidence; a later version may have more fields."""
    Draft202012Validator(schema_of(ScanEvent)).validate(event)


@pytest.mark.parametrize(
    "changed",
    [
        {"event_id": "x"},
        {"category": "arriving"},
        {"event_time": "2026-05-14T15:10:00"},
        {"utc_offset": "-7:00"},
        {"sequence": 0},
        {"tracking_number": ""},
        {"attributes": None},
    ],
)
def test_what_is_wrong_is_not_valid(changed: dict[str, object]) -> None:
    """The schema holds publishers to the contract."""
    assert not Draft202012Validator(schema_of(ScanEvent)).is_valid(SCAN_EVENT | changed)


def test_nothing_of_an_update_may_be_left_out() -> None:
    """Fields that are empty are null, not absent."""
    record = normalized(payload_of(scan())).record
    validator = Draft202012Validator(schema_of(TrackingUpdate))
    validator.validate(record)
    for name in record:
        assert not validator.is_valid({key: value for key, value in record.items() if key != name})


def test_both_ends_of_a_withholding_are_valid() -> None:
    """The topic carries what is withheld and what is released."""
    validator = Draft202012Validator(schema_of(WithheldRecord))
    at = "2026-05-14T16:45:43.120Z"
    validator.validate(
        {"event": SCAN_EVENT, "merchant": None, "reason": "no_mid", "withheld_at": at}
    )
    validator.validate({"released": SCAN_EVENT["event_id"], "merchant": "acme", "released_at": at})
    assert not validator.is_valid({"merchant": "acme", "released_at": at})


def test_stale_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Absent, changed and left-over files fail the check, each by its name."""
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "decision.json").unlink()
    (tmp_path / "delivery.json").write_text("{}")
    (tmp_path / "gone.json").write_text("{}")
    assert main(["--check"], tmp_path) == 1
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "decision.json",
        "delivery.json",
        "gone.json",
    ]


def test_writing_repairs_and_removes(tmp_path: Path) -> None:
    """After writing, the folder holds the records' schemas and no others."""
    (tmp_path / "gone.json").write_text("{}")
    write_files(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == RECORDS.keys()
