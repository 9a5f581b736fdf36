import base64
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import CallbackRejected
from schemas.usps.callback import (
    RawCallback,
    VerifiedCallback,
    parse_envelope,
    verify,
)
from schemas.usps.signature import SignatureScheme
from tests.schemas.usps.feed import (
    EXAMPLES,
    JSON,
    OTHER_SECRET,
    SECRET,
    SUBSCRIPTION_ID,
    body_of,
    callback_with,
    signature,
)

VECTOR_BODY = (
    b'{"subscriptionId":"0190aa11-2b3c-7d4e-8f50-61728394a5b6","subscriptionType":"TRACKING",'
    b'"timestamp":"2026-05-14T15:42:09.318Z","payload":"{\\"trackingNumber\\":'
    b'\\"9205599887766500042174\\",\\"status\\":\\"Out for Delivery\\"}"}'
)
VECTOR_SIGNATURE = b"EjO/sGXyUvOtgqA0g6euD5/Ho7ZePADi4UtzGg0mzV8="
SIGNATURE = signature(callback_with())


def reason_of(callback: RawCallback, *secrets: bytes) -> str:
    """Why the callback is refused, by the test's secret or by others."""
    with pytest.raises(CallbackRejected) as rejected:
        verify(callback, secrets or [SECRET])
    return rejected.value.reason


def test_the_known_signature_is_accepted() -> None:
    """A vector made elsewhere verifies: timestamp and payload, nothing between, in Base64."""
    callback = parse_envelope(VECTOR_BODY, [(b"X-HMAC", VECTOR_SIGNATURE)])
    assert verify(callback, [SECRET]).callback is callback


def test_the_envelope_is_read_verbatim() -> None:
    """The four strings come out as the sender's, decoded once and not trimmed."""
    payload = '{"a": "\\u00e9\\n"} \n'
    callback = parse_envelope(body_of(subscriptionId="123456789", payload=payload), [])
    assert (callback.subscription_id, callback.subscription_type) == ("123456789", "TRACKING")
    assert callback.payload == payload


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"NaN",
        b'{"payload": NaN}',
        b'{"payload": 1e999}',
        b'{"payload": "\\ud800"}',
        b'{"payload": "\xed\xa0\x80"}',
        b"[" * 5_000 + b"]" * 5_000,
        b"\xef\xbb\xbf{}",
        b"subscriptionId=1",
    ],
)
def test_what_is_not_json_is_said_to_be(body: bytes) -> None:
    """Broken, too deep, wrongly encoded and number-like nonsense bodies are `not_json`."""
    with pytest.raises(CallbackRejected) as rejected:
        parse_envelope(body, [])
    assert rejected.value.reason == "not_json"


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        body_of(payload={"trackingNumber": "1"}),
        body_of(payload=None),
        body_of(timestamp=1747237329),
        body_of(subscriptionId=12345678),
        body_of(subscriptionType=["TRACKING"]),
    ],
)
def test_json_that_is_no_envelope_is_said_to_be(body: bytes) -> None:
    """Other JSON, and an envelope with a field missing or of another type, are refused."""
    with pytest.raises(CallbackRejected) as rejected:
        parse_envelope(body, [])
    assert rejected.value.reason == "not_an_envelope"


@pytest.mark.parametrize("rel", ["self", ["self"], 7, {"a": []}])
def test_links_and_unknown_fields_do_not_matter(rel: object) -> None:
    """Links may be shaped anyhow, and more fields may come."""
    body = body_of(links=[{"rel": rel}], extra={"deep": [1, 2]})
    assert parse_envelope(body, []).subscription_id == SUBSCRIPTION_ID


@pytest.mark.parametrize("subscription_id", ["", " ", "123456789", "\u2603" * 300])
def test_any_string_is_a_subscription_id(subscription_id: str) -> None:
    """USPS's published examples use no UUIDs, so nothing is asked of the id."""
    body = body_of(subscriptionId=subscription_id)
    assert parse_envelope(body, []).subscription_id == subscription_id


@pytest.mark.parametrize("name", [b"X-HMAC", b"x-hmac", b"hmac-header", b"HMAC-Header"])
def test_both_header_names_are_read(name: bytes) -> None:
    """The official and the deprecated header do, in any case of letters."""
    assert verify(callback_with((name, SIGNATURE)), [SECRET]).secret_index == 0


def test_equal_signatures_in_both_headers_are_one() -> None:
    """USPS may send the deprecated twin beside the official header."""
    assert (
        verify(
            callback_with((b"x-hmac", SIGNATURE), (b"hmac-header", SIGNATURE)), [SECRET]
        ).secret_index
        == 0
    )


@pytest.mark.parametrize("twin", [b"x-hmac", b"hmac-header"])
@pytest.mark.parametrize("right_first", [True, False])
def test_signatures_that_differ_are_refused(twin: bytes, right_first: bool) -> None:
    """Whichever of two different signatures is right, or if both are, the callback is refused."""
    wrong = signature(callback_with(), OTHER_SECRET)
    values = (SIGNATURE, wrong) if right_first else (wrong, SIGNATURE)
    callback = callback_with((b"x-hmac", values[0]), (twin, values[1]))
    assert reason_of(callback) == "signature_mismatch"
    assert reason_of(callback, SECRET, OTHER_SECRET) == "signature_mismatch"


@pytest.mark.parametrize("headers", [[], [(b"x-hmac", b"")], [(b"x-usps-signature", SIGNATURE)]])
def test_no_signature_is_told_apart_from_a_wrong_one(headers: list[tuple[bytes, bytes]]) -> None:
    """Without either header, or with empty ones, the signature is missing."""
    assert reason_of(callback_with(*headers)) == "signature_missing"


@pytest.mark.parametrize(
    "given_signature",
    [
        b"not base64",
        SIGNATURE + b"=",
        SIGNATURE + b"AAAA",
        b" " + SIGNATURE,
        SIGNATURE[:20] + b"\n" + SIGNATURE[20:],
        SIGNATURE[:-2],
        base64.b64encode(b"short"),
        base64.b64decode(SIGNATURE).hex().encode(),
        base64.b64decode(SIGNATURE),
        b"\xff" * 44,
        b"=" * 44,
        SIGNATURE.swapcase(),
    ],
)
def test_malformed_signatures_do_not_match(given_signature: bytes) -> None:
    """What is no strict Base64 of 32 bytes, or of others, is a mismatch."""
    assert reason_of(callback_with((b"x-hmac", given_signature))) == "signature_mismatch"


def test_only_the_padding_may_be_missing() -> None:
    """Base64 without its last `=` still says the same 32 bytes."""
    assert verify(callback_with((b"x-hmac", SIGNATURE[:-1])), [SECRET])


def test_the_matching_secret_is_told() -> None:
    """After a rotation the older secret still verifies, and metrics can see that."""
    callback = callback_with((b"x-hmac", SIGNATURE))
    assert verify(callback, [OTHER_SECRET, SECRET]).secret_index == 1
    assert verify(callback, [SECRET, SECRET]).secret_index == 0


def test_no_valid_secret_means_no() -> None:
    """Without a secret, or with others only, nothing verifies."""
    callback = callback_with((b"x-hmac", SIGNATURE))
    assert reason_of(callback, OTHER_SECRET) == "signature_mismatch"
    with pytest.raises(CallbackRejected, match="signature"):
        verify(callback, [])


@pytest.mark.parametrize("changed", [{"timestamp": "2026-05-14T16:45:42.748Z"}, {"payload": "{}"}])
def test_every_signed_part_counts(changed: dict[str, str]) -> None:
    """Another timestamp or payload under the same signature is a mismatch."""
    callback = callback_with((b"x-hmac", SIGNATURE), body=body_of(**changed))
    assert reason_of(callback) == "signature_mismatch"


def test_a_subscription_may_have_another_header() -> None:
    """A scheme of its own names the headers that count, and no others do."""
    scheme = SignatureScheme(header_names=(b"x-usps-signature",))
    callback = callback_with((b"X-USPS-Signature", SIGNATURE), (b"x-hmac", b"whatever"))
    assert verify(callback, [SECRET], scheme).secret_index == 0


def test_nobody_else_makes_a_verified_callback() -> None:
    """A callback that was not verified cannot be passed off as one."""
    with pytest.raises(TypeError):
        VerifiedCallback(callback_with(), 0, object())


def test_what_a_callback_holds_is_not_shown() -> None:
    """Its text in logs and errors has neither payload nor headers."""
    callback = callback_with((b"x-hmac", SIGNATURE), body=body_of(payload='{"firm":"Vane Ltd"}'))
    assert "Vane" not in repr(callback)
    assert SIGNATURE.decode() not in repr(verify_signed(callback))


def verify_signed(callback: RawCallback) -> VerifiedCallback:
    """The same callback, signed and verified."""
    signed = callback_with((b"x-hmac", signature(callback)), body=body_of(payload=callback.payload))
    return verify(signed, [SECRET])


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.json")))
def test_shapes_as_published_verify_as_received(example: str) -> None:
    """Escaped once more or not, with a line end or not: the signature covers what came."""
    body = (EXAMPLES / example).read_bytes()
    unsigned = parse_envelope(body, [])
    assert unsigned.payload == json.loads(body)["payload"]
    callback = parse_envelope(body, [(b"x-hmac", signature(unsigned))])
    assert verify(callback, [SECRET]).callback.subscription_id == "987654321"


def answer_to(body: bytes) -> str:
    """`read`, or why the body is refused."""
    try:
        parse_envelope(body, [])
    except CallbackRejected as rejected:
        return rejected.reason
    return "read"


@settings(deadline=None)
@given(st.binary(max_size=300) | JSON.map(orjson.dumps))
def test_any_body_has_an_answer(body: bytes) -> None:
    """Whatever arrives becomes a callback or one refusal of the contract."""
    assert answer_to(body) in {"read", "not_json", "not_an_envelope"}


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["subscriptionId", "subscriptionType", "timestamp", "payload", "links"]),
        st.text(max_size=5) | JSON,
    )
)
def test_any_envelope_has_an_answer(envelope: dict[str, object]) -> None:
    """An envelope is read exactly if its four fields are strings, whatever else it has."""
    names = ("subscriptionId", "subscriptionType", "timestamp", "payload")
    complete = all(isinstance(envelope.get(name), str) for name in names)
    assert answer_to(orjson.dumps(envelope)) == ("read" if complete else "not_an_envelope")


@settings(deadline=None)
@given(st.text(), st.text(), st.binary(max_size=60))
def test_any_signature_has_an_answer(timestamp: str, payload: str, header: bytes) -> None:
    """Any header is a mismatch or missing; the right one verifies for any text."""
    callback = RawCallback("1", "TRACKING", timestamp, payload, [(b"x-hmac", header)], b"")
    assert reason_of(callback) in {"signature_mismatch", "signature_missing"}
    right = RawCallback(
        "1", "TRACKING", timestamp, payload, [(b"x-hmac", signature(callback))], b""
    )
    assert verify(right, [SECRET]).secret_index == 0
