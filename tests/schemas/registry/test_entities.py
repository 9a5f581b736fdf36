"""Entities as a registry file states them, and as their records have them."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from schemas.errors import RecordRejected
from schemas.json_schema import RECORDS, schema_of
from schemas.registry.entities import Grant, Merchant
from schemas.registry.index import parse_entity

WHOLE: list[tuple[str, dict[str, Any]]] = [
    (
        "usps_account",
        {
            "id": "sim",
            "environment": "simulator",
            "client_id": "env:A",
            "client_secret": "file:/b",
            "base_url": "http://127.0.0.1:8081",
        },
    ),
    (
        "merchant",
        {
            "id": "m",
            "name": "M",
            "role": "service_provider",
            "terms_accepted_on": "2026-03-28",
            "partitions": 3,
            "ip_agreement": {"reference": "IPA", "from": "2026-04-01", "until": "2027-04-01"},
            "eps_account": "1000012345",
        },
    ),
    ("mid", {"mid": "912345678", "owner": "m", "crid": "20000001", "from": "2026-04-01"}),
    (
        "merchant_access_token",
        {
            "id": "t",
            "merchant": "m",
            "platform": "p",
            "state": "active",
            "expires_at": "2027-01-31T00:00:00Z",
        },
    ),
    (
        "grant",
        {
            "id": "g",
            "merchant": "m",
            "tracking_number": "9205512345678000000017",
            "channels": ["api", "iv_mtr"],
            "basis": "delegation",
            "until": "2027-04-01",
        },
    ),
    (
        "subscription",
        {
            "id": "0190aa11",
            "name": "s",
            "account": "sim",
            "mid": "123456",
            "event_types": ["ALL_UPDATES", "PACKAGE_DELAYED"],
            "listener_url": "https://hooks.example/usps",
            "admin_emails": ["a@example.com"],
            "scheme": {"headers": ["X-HMAC"], "encoding": "hex", "legacy": True},
            "secrets": ["env:NEW", "env:OLD"],
        },
    ),
    (
        "destination",
        {
            "id": "d",
            "merchant": "m",
            "kind": "http",
            "url": "https://orders.example/usps",
            "signing_secrets": ["env:S"],
            "headers": {"authorization": "env:T"},
            "rate_limit_per_second": 2.5,
            "categories": ["delivered"],
            "start": "earliest",
            "enabled": False,
        },
    ),
    (
        "destination",
        {
            "id": "k",
            "merchant": "m",
            "kind": "kafka",
            "bootstrap_servers": "a:9092,b:9092",
            "topic": "events",
            "security": {
                "protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "username": "u",
                "password": "env:P",
            },
        },
    ),
    (
        "destination",
        {"id": "p", "merchant": "m", "kind": "postgres", "dsn": "env:D", "schema": "usps"},
    ),
    (
        "destination",
        {
            "id": "o",
            "merchant": "m",
            "kind": "object_store",
            "url": "s3://bucket/x",
            "format": "jsonl",
        },
    ),
]


@pytest.mark.parametrize(("kind", "given"), WHOLE, ids=[f"{k}-{v.get('id', '')}" for k, v in WHOLE])
def test_an_entity_is_the_same_after_its_record_was_read(kind: str, given: dict[str, Any]) -> None:
    """Otherwise every apply would see changes where there are none."""
    entity = parse_entity(kind, given)
    again = parse_entity(kind, orjson.loads(orjson.dumps(entity.record())))
    assert again == entity
    assert entity.key == f"{kind}/{entity.entity_id}"


def test_a_bare_date_means_midnight_in_utc() -> None:
    """An offset is brought to UTC."""
    merchant = Merchant.model_validate(
        {"id": "m", "name": "M", "role": "shipper", "terms_accepted_on": "2026-03-20"}
    )
    assert merchant.terms_accepted_on == datetime(2026, 3, 20, tzinfo=UTC)
    grant = {
        "id": "g",
        "merchant": "m",
        "mid": "123456",
        "channels": ["api"],
        "basis": "delegation",
    }
    assert Grant.model_validate({**grant, "from": "2026-04-01T00:00:00-05:00"}).from_ == datetime(
        2026, 4, 1, 5, tzinfo=UTC
    )


@pytest.mark.parametrize("when", ["2026-04-01T00:00:00", "soon", 20260401, "2026-13-01"])
def test_a_time_without_zone_or_sense_is_refused(when: object) -> None:
    """A guessed zone would shift a right by hours."""
    with pytest.raises(ValidationError):
        Merchant.model_validate(
            {"id": "m", "name": "M", "role": "shipper", "terms_accepted_on": when}
        )


def test_a_grants_number_is_normalized() -> None:
    """As events have it: with ZIP, blanks and marks it would never match."""
    given = {"id": "g", "merchant": "m", "channels": ["api"], "basis": "delegation"}
    grant = Grant.model_validate(
        {**given, "tracking_number": "4203811892 0551 2345 6780 0000 0017"}
    )
    assert grant.tracking_number == "9205512345678000000017"


def test_rows_of_a_mid_in_several_periods_are_several_entities() -> None:
    """Their ids differ by the period's start."""
    row = parse_entity("mid", {"mid": "123456", "owner": "m", "from": "2026-04-01"})
    assert row.key == "mid/123456@2026-04-01T00:00:00Z"


def test_an_unknown_kind_is_rejected() -> None:
    """A newer version's entity is not taken for something else."""
    with pytest.raises(RecordRejected):
        parse_entity("surprise", {})


@pytest.mark.parametrize(("kind", "given"), WHOLE)
def test_every_entitys_record_is_valid_against_its_schema(kind: str, given: dict[str, Any]) -> None:
    """Whoever reads the registry topic may rely on it."""
    record = orjson.loads(orjson.dumps(parse_entity(kind, given).record()))
    Draft202012Validator(schema_of(RECORDS[f"registry_{kind}"])).validate(record)
