"""Registry files that are well: read the same from each format, merged, with their doubts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from processors.registry.load import load
from schemas.registry.entities import Grant, Merchant
from schemas.secrets import Secrets
from tests.processors.registry.files import SETTINGS, WELL, load_texts

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "registry.yaml"


def sections() -> dict[str, list[dict[str, Any]]]:
    """The example's content, dates as text."""
    content: dict[str, list[dict[str, Any]]] = yaml.load(EXAMPLE.read_text(), yaml.BaseLoader)
    return content | {
        "destinations": [
            {"id": "d", "merchant": "acme", "kind": "object_store", "url": "file:///tmp/x"}
        ]
    }


def test_the_example_is_well_but_for_secrets_that_are_set_elsewhere() -> None:
    """What cannot be resolved here is a warning with its place, not a refusal."""
    loaded = load([EXAMPLE], Secrets({}, str), SETTINGS)
    assert len(loaded.entities) == 18
    assert loaded.merchant_partitions == {"acme": 1, "shipfast": 1, "trackco": 1, "newshop": 1}
    assert len(loaded.warnings) == 7
    assert all("is not set; set it where programs run" in text for text in loaded.warnings)


def test_yaml_json_and_json_lines_say_the_same(tmp_path: Path) -> None:
    """JSON and JSON Lines are for large registries; a line's kind is its section or singular."""
    content = sections()
    lines = [
        json.dumps(entry if section == "destinations" else {"kind": kind, **entry})
        for section, entries in content.items()
        for kind, entry in zip([section, section[:-1]] * len(entries), entries, strict=False)
    ]
    loaded = [
        load_texts(tmp_path, {name: text}).entities
        for name, text in {
            "a.yaml": yaml.safe_dump(content, sort_keys=False),
            "a.yml": yaml.safe_dump(content, sort_keys=False),
            "a.json": json.dumps(content, indent="\t"),
            "a.jsonl": "\n".join(lines) + "\n\n",
            "b.jsonl": "\r\n".join(lines),
        }.items()
    ]
    assert len(loaded[0]) == 14
    assert all(one == loaded[0] for one in loaded)


def test_files_are_merged(tmp_path: Path) -> None:
    """One file may refer to what another declares."""
    texts = {
        "grants.jsonl": '{"kind": "grant", "id": "g", "merchant": "ship", "mid": "912345678", '
        '"channels": ["api"], "basis": "merchant_access_token", "reference": "acme-ship"}',
        "rest.yaml": WELL,
    }
    loaded = load_texts(tmp_path, texts)
    assert str(loaded.places["grant/g"]).endswith("grants.jsonl:1")
    assert "merchant/acme" in loaded.entities


def test_dates_are_text_until_their_field_reads_them(tmp_path: Path) -> None:
    """YAML would make a date of a reference, and a time of `12:30`."""
    text = (
        "merchants:\n  - id: m\n    name: 2026-04-01\n    role: shipper\n"
        "    terms_accepted_on: 2026-03-20 10:00:00-05:00\n    eps_account: '12:30'\n"
    )
    merchant = load_texts(tmp_path, {"a.yaml": text}).entities["merchant/m"]
    assert isinstance(merchant, Merchant)
    assert merchant.name == "2026-04-01"
    assert merchant.eps_account == "12:30"
    assert merchant.terms_accepted_on == datetime(2026, 3, 20, 15, tzinfo=UTC)


def test_anchors_are_read(tmp_path: Path) -> None:
    """They save repeating; only merge keys are refused."""
    text = WELL + (
        "grants:\n"
        "  - {id: g, merchant: ship, mid: '912345678', channels: &c [api], basis: delegation}\n"
        "  - {id: h, merchant: ship, mid: '912345678', channels: *c, basis: delegation}\n"
    )
    grant = load_texts(tmp_path, {"a.yaml": text}).entities["grant/h"]
    assert isinstance(grant, Grant)
    assert grant.channels == ["api"]


def test_an_absent_agreement_is_no_dangling_reference(tmp_path: Path) -> None:
    """It withholds, until it is there."""
    text = WELL + (
        "grants:\n  - {id: g, merchant: ship, mid: '912345678', channels: [api],\n"
        "     basis: ip_agreement, reference: IPA-77}\n"
    )
    assert "grant/g" in load_texts(tmp_path, {"a.yaml": text}).entities


def test_a_mid_may_change_its_owner(tmp_path: Path) -> None:
    """Two rows whose periods touch do not overlap."""
    text = WELL.replace(
        'mids:\n  - {mid: "912345678", owner: acme}',
        'mids:\n  - {mid: "912345678", owner: ship, from: 2026-05-01}\n'
        '  - {mid: "912345678", owner: acme, until: 2026-05-01}',
    )
    entities = load_texts(tmp_path, {"a.yaml": text}).entities
    assert "mid/912345678" in entities
    assert "mid/912345678@2026-05-01T00:00:00Z" in entities


def test_what_opens_nothing_is_a_warning(tmp_path: Path) -> None:
    """Roles that make a token useless, a token of another, and a MID that nobody owns."""
    text = """\
merchants:
  - {id: acme, name: A, role: shipper}
  - {id: paid, name: P, role: service_provider}
  - {id: ship, name: S, role: platform}
mids:
  - {mid: "912345678", owner: acme}
merchant_access_tokens:
  - {id: t, merchant: paid, platform: acme, state: active}
grants:
  - {id: g, merchant: ship, mid: "912345678", channels: [api], basis: merchant_access_token,
     reference: t}
  - {id: h, merchant: paid, mid: "912345678", channels: [api], basis: merchant_access_token}
subscriptions:
  - {name: s, mid: "123456", secrets: ["env:USPS_SECRET"]}
"""
    warnings = load_texts(tmp_path, {"a.yaml": text}).warnings
    told = [text.removeprefix(f"{tmp_path}/a.yaml:") for text in warnings]
    beginnings = [
        "8: merchant_access_token t: merchant paid is a service_provider, not a shipper",
        "8: merchant_access_token t: platform acme is a shipper, not a platform",
        "11: grant g: t is a token of acme, not of ship",
        "12: grant h: merchant paid is a service_provider, not a platform",
        "14: subscription s: nobody owns MID 123456; its events will be withheld (unknown_mid)",
    ]
    assert len(told) == len(beginnings)
    assert all(one.startswith(begin) for one, begin in zip(told, beginnings, strict=True))


def test_a_file_holds_a_secret_with_white_space_around_it(tmp_path: Path) -> None:
    """An editor's last line break does not count."""
    secret = tmp_path / "secret"
    secret.write_text("  an USPS secret of 32 characters.\n")
    text = WELL.replace("env:USPS_SECRET", f"file:{secret}")
    assert not load_texts(tmp_path, {"a.yaml": text}).warnings


def test_a_hundred_thousand_grants_are_read(tmp_path: Path) -> None:
    """A large registry is JSON Lines."""
    lines = [
        f'{{"kind": "grant", "id": "g-{number}", "merchant": "ship", "mid": "912345678", '
        f'"channels": ["api"], "basis": "delegation", "from": "2026-04-01"}}'
        for number in range(100_000)
    ]
    loaded = load_texts(tmp_path, {"well.yaml": WELL, "grants.jsonl": "\n".join(lines)})
    assert len(loaded.entities) > 100_000
