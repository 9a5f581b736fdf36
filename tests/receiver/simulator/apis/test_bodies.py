"""Whatever bytes arrive, a body is read or refused, and nothing else happens."""

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from receiver.simulator.apis.bodies import (
    RevokeRequest,
    TokenRequest,
    read_items,
    read_oauth,
    read_subscription,
)
from receiver.simulator.apis.oauth import _basic
from receiver.simulator.apis.refusals import ApiRefusal, OAuthRefusal
from tests.receiver.simulator.apis.document import fits
from tests.receiver.simulator.apis.world import SECRET, new_subscription


def _written(value: object) -> bytes:
    return orjson.dumps(value)


# A busy machine is no fault of the code.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FORM = "application/x-www-form-urlencoded"
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=10,
)
BYTES = st.binary() | JSON.map(_written)


def refusal_of(read: Callable[[], object]) -> ApiRefusal | OAuthRefusal | None:
    """How a body is refused; None if it is read. Anything else that is raised fails the test."""
    try:
        read()
    except (ApiRefusal, OAuthRefusal) as refusal:
        return refusal
    return None


@UNTIMED
@given(BYTES, st.sampled_from([FORM, "application/json", ""]))
def test_any_bytes_are_read_or_refused(body: bytes, media: str) -> None:
    """Each reader raises its refusal or returns what it reads."""
    for read in (read_subscription, read_items):
        refusal = refusal_of(partial(read, body))
        assert refusal is None or refusal.status == 400
    for model in (TokenRequest, RevokeRequest):
        refusal = refusal_of(partial(read_oauth, model, body, media))
        assert refusal is None or refusal.status == 400


@UNTIMED
@given(st.sampled_from(sorted(new_subscription("http://a/"))), JSON)
def test_subscriptions_are_read_exactly_if_the_document_allows_them(field: str, value: Any) -> None:
    """The models are as strict as the document, and never repeat a secret."""
    asked = new_subscription("http://127.0.0.1:8080/usps") | {field: value}
    allowed = fits({"$ref": "#/components/schemas/NewSubscription"}, asked)
    refusal = refusal_of(partial(read_subscription, orjson.dumps(asked)))
    assert (refusal is None) == allowed
    assert SECRET not in str(refusal)


@UNTIMED
@given(st.text())
def test_any_authorization_header_has_credentials_or_none(header: str) -> None:
    """What is no Basic header gives empty ones."""
    assert len(_basic(f"Basic {header}")) == 2
    assert _basic(header) == ("", "") or header.lower().startswith("basic ")


def test_deep_and_strange_documents_are_refused() -> None:
    """Nesting, NaN, lone surrogates and bytes that are no UTF-8."""
    for body in (b"[" * 100_000, b'{"secret": NaN}', b'"\\ud800"', b"\xff\xfe", b""):
        with pytest.raises(ApiRefusal):
            read_subscription(body)
