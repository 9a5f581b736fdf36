"""The registry's topics folded: from revision to revision, and what was seen beside it."""

from typing import Any

import orjson
import pytest

from schemas.errors import RecordRejected
from schemas.registry.log import REVISION_KEY, RegistryLog
from tests.schemas.registry.entities import granted, merchant, records, token


def applied(log: RegistryLog, revision: int, *entries: tuple[str, Any]) -> None:
    """One apply: entities or tombstones, then the marker."""
    for key, value in entries:
        log.apply(key, None if value is None else orjson.dumps(value))
    marker = {"revision": revision, "applied_at": "2026-04-01T00:00:00Z", "applied_by": "me"}
    log.apply(REVISION_KEY, orjson.dumps(marker))


def test_changes_wait_for_their_revision() -> None:
    """Between entities and marker nothing of them is in force."""
    revisions: list[int] = []
    log = RegistryLog(lambda: revisions.append(log.registry.revision))
    ((key, value),) = records([merchant("acme")])
    log.apply(key, orjson.dumps(value))
    assert log.registry.merchant("acme") is None
    applied(log, 1)
    assert log.registry.merchant("acme") is not None
    applied(log, 2, (key, None))
    assert log.registry.merchant("acme") is None
    assert revisions == [1, 2]


def test_a_record_that_cannot_be_read_is_rejected_without_its_content() -> None:
    """The error names the key and the fields, never a value."""
    log = RegistryLog()
    bad = {"id": "acme", "name": "A", "role": "hunter2"}
    with pytest.raises(RecordRejected) as rejected:
        log.apply("merchant/acme", orjson.dumps(bad))
    assert rejected.value.detail == "merchant/acme: role"
    for value in (b"{", b"[]"):
        with pytest.raises(RecordRejected):
            log.apply("merchant/acme", value)


def test_a_newer_versions_kind_comes_and_goes() -> None:
    """It is rejected when it comes, and its tombstone harms nothing."""
    log = RegistryLog()
    with pytest.raises(RecordRejected):
        log.apply("wish/w", b"{}")
    applied(log, 1, ("wish/w", None))
    assert log.registry.revision == 1


def test_what_is_seen_of_a_token_is_in_force_at_once() -> None:
    """Also for a token that is declared later; a tombstone forgets it."""
    log = RegistryLog()
    seen = {"state": "active", "expires_at": None, "observed_at": "2026-04-01T00:00:00Z"}
    log.apply_observed("token/t", orjson.dumps(seen))
    applied(log, 1, *records([token("p", state="issued"), granted("p")]))
    found = log.registry.token("t")
    assert found is not None
    assert found.state == "active"
    log.apply_observed("token/t", None)
    (declared,) = log.registry.tokens_between("owner", "p")
    assert declared.state == "issued"


def test_an_observation_of_no_sense_is_rejected() -> None:
    """A state that no token can have."""
    log = RegistryLog()
    with pytest.raises(RecordRejected):
        log.apply_observed("token/t", orjson.dumps({"state": "fresh"}))
