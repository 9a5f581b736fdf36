"""Every fault of a registry file is refused with file, line, what is wrong and what to do."""

from pathlib import Path

import pytest

from processors.registry.load import load
from schemas.errors import RegistryRefused
from schemas.secrets import Secrets
from tests.processors.registry.bad_files import Bad, bad_files
from tests.processors.registry.files import ENVIRON, SETTINGS, WELL, problems


@pytest.mark.parametrize("bad", bad_files(), ids=lambda bad: bad.name)
def test_one_fault_is_told_with_its_place_and_a_remedy(bad: Bad, tmp_path: Path) -> None:
    """Exactly one problem is told: the fault, where it stands."""
    (told,) = problems(tmp_path, {"well.yaml": WELL, "bad.yaml": bad.text})
    assert told.startswith(f"bad.yaml:{bad.line}: {bad.told}")
    assert "; " in told


def test_all_problems_of_all_files_are_told_at_once_in_their_order(tmp_path: Path) -> None:
    """An operator corrects everything in one go."""
    texts = {
        "one.yaml": "merchants:\n  - {id: a, name: 1, role: x}\nmids:\n  - {mid: 123456, owner: b}",
        "two.json": '{"grants": [\n{"id": "g"}\n]}',
        "three.jsonl": '{"kind": "merchant", "id": "a"}\n{"kind": "wish"}\n{no',
    }
    told = [line.partition(": ") for line in problems(tmp_path, texts)]
    places = [place for place, _, _ in told]
    names = list(texts)
    assert places == sorted(places, key=lambda place: (names.index(place[:-2]), place))
    assert {place.split(":")[0] for place in places} == set(texts)
    assert places.count("one.yaml:2") == 2
    assert "three.jsonl:3" in places


def test_several_faults_of_one_entry_are_all_told(tmp_path: Path) -> None:
    """Also rules on the whole entry, beside a wrong key."""
    text = (
        "grants:\n  - {id: g, merchant: acme, channels: [x], basis: delegation, extra: 1,\n"
        "     from: 2026-05-01, until: 2026-04-01}"
    )
    told = problems(tmp_path, {"well.yaml": WELL, "bad.yaml": text})
    for part in (
        "channels.0: unknown",
        "extra: unknown key",
        "until must be after",
        "either a mid",
    ):
        assert any(part in line for line in told), part


def test_a_wrong_merchant_is_one_problem_and_not_one_for_each_reference(tmp_path: Path) -> None:
    """What refers to it is not called dangling."""
    text = 'merchants:\n  - {id: b, name: B}\nmids:\n  - {mid: "123456", owner: b}'
    (told,) = problems(tmp_path, {"bad.yaml": text})
    assert told.startswith("bad.yaml:2: merchant b: role: is missing")


PASTED = """
subscriptions: [{name: s, mid: "912345678", secrets: ["PASTED"]}]
subscriptions: [{name: s, mid: "912345678", secrets: "PASTED"}]
subscriptions: [{name: s, mid: "912345678", secrets: [{env: "PASTED"}]}]
subscriptions: [{name: s, mid: "PASTED", secrets: ["env:USPS_SECRET"]}]
usps_accounts: [{id: a, environment: tem, client_id: "PASTED", client_secret: [PASTED]}]
destinations: [{id: d, merchant: acme, kind: postgres, dsn: "PASTED"}]
destinations: [{id: d, merchant: acme, kind: http, url: "https://a:PASTED@x/"}]
destinations: [{id: d, merchant: acme, kind: PASTED}]
merchants: {a: PASTED
"""


@pytest.mark.parametrize("text", PASTED.strip().split("\n"))
def test_a_secret_put_by_mistake_is_never_repeated(text: str, tmp_path: Path) -> None:
    """Wherever a value stands instead of a reference, the problem does not show it."""
    value = "hunter2-hunter2-hunter2-hunter2!"
    texts = {"well.yaml": WELL, "bad.yaml": text.replace("PASTED", value)}
    assert value not in "\n".join(problems(tmp_path, texts))


def test_the_value_behind_a_reference_is_never_shown(tmp_path: Path) -> None:
    """Only how long it is."""
    text = 'subscriptions:\n  - {name: s, mid: "912345678", secrets: ["env:SIGNING"]}'
    told = "\n".join(problems(tmp_path, {"well.yaml": WELL, "bad.yaml": text}))
    assert not any(value in told for value in ENVIRON.values())


JSON_FAULTS = [
    (
        "bad.json",
        '{"merchants": [\n  {"id": "b",\n   "name": 5, "role": "shipper"}]}',
        "bad.json:3: merchant b: name: a number stands where",
    ),
    ("bad.json", '{"merchants": [\n', "bad.json:2: bad JSON: "),
    (
        "bad.json",
        '{"merchants": [],\n "mids": [],\n "merchants": []}',
        "bad.json:3: the key 'merchants' stands twice",
    ),
    ("bad.json", '{"mids": [\n{"mid": NaN}]}', "bad.json:1: a number that JSON does not have"),
    ("bad.json", "[" * 100_000, "bad.json:1: nested too deeply"),
    (
        "bad.json",
        '{"merchants": [{"id": "b", "name": "\\ud83d\\ude00 \\/ \\"",\n\t"role": "x"}]}',
        "bad.json:2: merchant b: role: unknown",
    ),
    ("bad.json", "[1]", "bad.json:1: no sections; write one of"),
    (
        "bad.jsonl",
        '\n{"kind": "merchant", "id": "b", "name": "B"}',
        "bad.jsonl:2: merchant b: role: is missing",
    ),
    (
        "bad.jsonl",
        '{"kind": "merchant", "id": "b", "id": "c", "name": "B", "role": "shipper"}',
        "bad.jsonl:1: the key 'id' stands twice",
    ),
    (
        "bad.jsonl",
        '{"id": "b"}',
        'bad.jsonl:1: no known kind; write "kind": one of usps_account, merchant',
    ),
    (
        "bad.jsonl",
        '{"kind": "destination", "id": "d"}',
        "bad.jsonl:1: a destination is marked by its own kind",
    ),
    ("bad.jsonl", "17", "bad.jsonl:1: no entity; write one object a line"),
    ("bad.jsonl", '{"kind": ["merchant"]}', "bad.jsonl:1: no known kind"),
    (
        "bad.txt",
        "merchants: []",
        "bad.txt:1: unknown kind of file; name it .yaml, .yml, .json or .jsonl",
    ),
]


@pytest.mark.parametrize(("name", "text", "expected"), JSON_FAULTS)
def test_faults_of_json_are_told_the_same_way(
    name: str, text: str, expected: str, tmp_path: Path
) -> None:
    """With the line of what is wrong, in a document or a line of its own."""
    (told,) = problems(tmp_path, {name: text})
    assert told.startswith(expected)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """One that is missing, or a folder, is a problem like others."""
    (tmp_path / "folder.yaml").mkdir()
    paths = [tmp_path / "folder.yaml", tmp_path / "missing.yaml"]
    with pytest.raises(RegistryRefused) as refused:
        load(paths, Secrets({}, str), SETTINGS)
    folder, missing = refused.value.detail.split("\n")
    assert "folder.yaml:1: cannot be read (Is a directory); give a registry file" in folder
    assert "missing.yaml:1: cannot be read (No such file or directory)" in missing
