"""Whatever USPS answers is a value of ours or one error, and shows no secret."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.subscribing.answers import (
    read_count,
    read_duplicate,
    read_id,
    read_id_of_location,
    read_list,
    read_subscription,
)
from receiver.usps.errors import UspsUnavailable
from tests.receiver.subscribing.memory import NEW

ID = "0190aa11-2b3c-7d4e-8f50-61728394a5b6"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)
FIELDS = [
    "subscriptionId",
    "listenerURL",
    "secret",
    "status",
    "statusReason",
    "creationTimestamp",
    "statusChangeTimestamp",
    "expirationTimestamp",
    "filterProperties",
]
LIKE_ONE = st.fixed_dictionaries(
    {"subscriptionId": st.just(ID) | ANYTHING},
    optional=dict.fromkeys(FIELDS[1:], ANYTHING),
)
FILTERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("MID", "trackingNumber", "trackingEventTypes"), ANYTHING)
)


@settings(max_examples=50)
@given(
    ANYTHING
    | LIKE_ONE
    | st.builds(lambda f: {"subscriptionId": ID, "filterProperties": f}, FILTERS)
)
def test_any_answer_is_read_or_refused(document: Any) -> None:
    """One value or one error; what is shown of it is printable and on one line."""
    try:
        found = read_subscription(document)
    except UspsUnavailable:
        return
    for text in (found.subscription_id, found.listener_url, found.status, found.filter.text):
        assert text.isprintable()
        assert "\n" not in text
    for time in (found.created_at, found.status_changed_at, found.expires_at):
        assert time is None or (time.isascii() and " " not in time)


@settings(max_examples=50)
@given(ANYTHING | st.builds(lambda many: {"subscriptions": many}, st.lists(ANYTHING | LIKE_ONE)))
def test_any_list_is_read(document: Any) -> None:
    """An entry that cannot be read costs no other."""
    assert len(read_list(document)) <= read_count(document)


@given(st.text())
def test_any_text_of_an_error(said: str) -> None:
    """There is an id in it or not."""
    assert read_duplicate(said, "") is None
    assert read_duplicate(f"{said} {ID} ", "") == ID


@given(st.text() | st.none())
def test_any_location(location: str | None) -> None:
    """It ends with an id or not."""
    found = read_id_of_location(location)
    assert found is None or "/" not in found


def test_location_with_an_id() -> None:
    """The last part of the path."""
    assert read_id_of_location(f"https://apis.usps.com/v3r2/subscriptions/{ID}?x=1") == ID
    assert read_id({"subscriptionId": "../etc"}) is None


def test_id_of_ours_in_an_error_is_not_the_duplicate() -> None:
    """A listener URL may hold a UUID of its own."""
    other = "11111111-2b3c-7d4e-8f50-61728394a5b6"
    asked = orjson.dumps({"listenerURL": f"https://acme.example/{other}"}).decode()
    assert read_duplicate(f"https://acme.example/{other} is used by {ID}", asked) == ID
    assert read_duplicate(f"https://acme.example/{other} is wrong", asked) is None


def test_absent_event_types_are_the_default() -> None:
    """As USPS's document says: all updates."""
    found = read_subscription({"subscriptionId": ID, "filterProperties": {"MID": "912345678"}})
    assert found.filter.event_types == {"ALL_UPDATES"}
    assert found.filter.mid == "912345678"


@pytest.mark.parametrize("field", FIELDS)
def test_secret_is_not_shown_wherever_it_stands(field: str) -> None:
    """A secret that USPS repeats in any field is in no text of ours."""
    document = {"subscriptionId": ID, field: f"secret {NEW}"}
    if field == "subscriptionId":
        with pytest.raises(UspsUnavailable):
            read_subscription(document)
        return
    assert NEW not in repr(read_subscription(document))
