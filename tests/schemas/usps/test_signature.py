"""Every form of message in every encoding: what verifies, what does not, and nothing between."""

import base64
import hmac
import json
from collections.abc import Callable
from itertools import product

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import CallbackRejected
from schemas.usps.callback import Headers, RawCallback, parse_envelope, verify
from schemas.usps.signature import (
    MessageForm,
    SignatureEncoding,
    SignatureScheme,
    decoded_signature,
    escaped_payload,
)
from schemas.usps.signature_search import MAX_SIGNATURES, Match, search_signature
from tests.schemas.usps.feed import JSON, OTHER_SECRET, SECRET, body_of
from tests.schemas.usps.test_callback import VECTOR_BODY

FORMS = list(MessageForm)
ENCODINGS = list(SignatureEncoding)
SCHEMES = [SignatureScheme((b"x-own",), *combined) for combined in product(FORMS, ENCODINGS)]
# Made with another implementation (openssl dgst -hmac) over the texts of VECTOR_BODY.
VECTORS = {
    ("timestamp+payload", "base64"): b"EjO/sGXyUvOtgqA0g6euD5/Ho7ZePADi4UtzGg0mzV8=",
    ("timestamp+payload", "hex"): (
        b"1233bfb065f252f3ad82a03483a7ae0f9fc7a3b65e3c00e2e14b731a0d26cd5f"
    ),
    ("timestamp+escaped-payload", "base64"): b"Iv6MJaCRU/kPkJw9cT+XK+YikbAXJeU+33MQxhNkr8w=",
    ("timestamp+escaped-payload", "hex"): (
        b"22fe8c25a09153f90f909c3d713f972be62291b01725e53edf7310c61364afcc"
    ),
    ("raw-body", "base64"): b"zGgOf0pMY/7Wr8nGROD/CV+Xi4/mPYag//QxigyD4j8=",
    ("raw-body", "hex"): b"cc680e7f4a4c63fed6afc9c644e0ff095f978b8fe63d86a0fff4318a0c83e23f",
}


def written(digest: bytes, encoding: SignatureEncoding) -> bytes:
    """The header's value."""
    return digest.hex().encode() if encoding == "hex" else base64.b64encode(digest)


def signed_by(
    scheme: SignatureScheme, signed: bytes, body: bytes, secret: bytes = SECRET
) -> RawCallback:
    """The callback of this body with a signature over these bytes."""
    value = written(hmac.digest(secret, signed, "sha256"), scheme.encoding)
    return parse_envelope(body, [(b"x-own", value)])


def reason_of(callback: RawCallback, scheme: SignatureScheme) -> str:
    """`verified`, or why it is refused."""
    try:
        verify(callback, [SECRET], scheme)
    except CallbackRejected as rejected:
        return rejected.reason
    return "verified"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("form", "encoding"), VECTORS)
def test_a_vector_verifies_under_its_own_scheme_only(
    scheme: SignatureScheme, form: str, encoding: str
) -> None:
    """Made elsewhere, each vector fits the scheme that it was made for, and no other."""
    callback = parse_envelope(VECTOR_BODY, [(b"X-Own", VECTORS[form, encoding])])
    fits = (scheme.message, scheme.encoding) == (form, encoding)
    assert reason_of(callback, scheme) == ("verified" if fits else "signature_mismatch")


@pytest.mark.parametrize(("form", "encoding"), VECTORS)
@pytest.mark.parametrize("header", ["X-HMAC", "x-usps-signature"])
def test_the_search_names_what_would_have_matched(form: str, encoding: str, header: str) -> None:
    """Header, form, encoding and secret of the one combination that fits."""
    headers = [(b"content-type", b"application/json"), (header.encode(), VECTORS[form, encoding])]
    found = search_signature(parse_envelope(VECTOR_BODY, headers), [OTHER_SECRET, SECRET])
    expected = Match(header.lower(), MessageForm(form), SignatureEncoding(encoding), 1)
    assert found == (expected,)


def test_the_search_finds_nothing_under_another_secret() -> None:
    """A secret that nobody told us matches nothing."""
    headers = [(b"x-hmac", value) for value in VECTORS.values()]
    assert search_signature(parse_envelope(VECTOR_BODY, headers), [OTHER_SECRET]) == ()


def test_the_search_has_an_end() -> None:
    """However many headers say 32 bytes, the first few are looked at."""
    decoys = [(b"x-%d" % n, base64.b64encode(bytes([n] * 32))) for n in range(MAX_SIGNATURES)]
    right = (b"x-hmac", VECTORS["raw-body", "hex"])
    assert search_signature(parse_envelope(VECTOR_BODY, [*decoys, right]), [SECRET]) == ()
    assert search_signature(parse_envelope(VECTOR_BODY, [*decoys[1:], right]), [SECRET])


def _all_escaped(text: str) -> str:
    """A JSON string in which no character stands for itself."""
    units = text.encode("utf-16-be")
    pairs = zip(units[::2], units[1::2], strict=True)
    return '"' + "".join(f"\\u{high:02x}{low:02X}" for high, low in pairs) + '"'


ESCAPINGS: list[Callable[[str], str]] = [
    lambda text: orjson.dumps(text).decode(),
    json.dumps,
    lambda text: json.dumps(text).replace("/", "\\/"),
    _all_escaped,
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None)
@given(
    TEXTS,
    st.recursive(TEXTS, lambda inner: inner.map(lambda text: json.dumps({"a": text}))),
    st.sampled_from(ESCAPINGS),
    st.sampled_from(SCHEMES),
    st.booleans(),
)
def test_what_was_signed_verifies(
    timestamp: str,
    payload: str,
    escaping: Callable[[str], str],
    scheme: SignatureScheme,
    last: bool,
) -> None:
    """Whatever the texts, the escaping and the order of fields: the right signature fits."""
    escaped = escaping(payload)
    fields = [
        '"subscriptionId" : "1", "subscriptionType": "T"',
        f'"timestamp":{json.dumps(timestamp)}',
    ]
    fields.insert(2 if last else 0, f'"payload" :\n {escaped}')
    body = f"{{{','.join(fields)}}}".encode()
    signed = {
        MessageForm.TIMESTAMP_PAYLOAD: f"{timestamp}{payload}".encode(),
        MessageForm.TIMESTAMP_ESCAPED_PAYLOAD: f"{timestamp}{escaped[1:-1]}".encode(),
        MessageForm.RAW_BODY: body,
    }[scheme.message]
    assert reason_of(signed_by(scheme, signed, body), scheme) == "verified"
    assert reason_of(signed_by(scheme, signed, body, OTHER_SECRET), scheme) == "signature_mismatch"
    assert reason_of(signed_by(scheme, signed + b"x", body), scheme) == "signature_mismatch"


@settings(deadline=None)
@given(
    st.tuples(st.text(max_size=8), st.text(max_size=20)),
    st.binary(max_size=80) | JSON.map(orjson.dumps),
    st.lists(st.tuples(st.sampled_from([b"x-own", b"X-OWN", b"x"]), st.binary(max_size=70))),
    st.sampled_from(SCHEMES),
    st.booleans(),
)
def test_any_bytes_have_an_answer_in_every_scheme(
    texts: tuple[str, str], body: bytes, headers: Headers, scheme: SignatureScheme, flat: bool
) -> None:
    """Whatever comes is a mismatch or missing, and the search finds nothing, without an error."""
    callback = RawCallback("1", "T", *texts, headers, body, flat)
    assert reason_of(callback, scheme) in {"signature_mismatch", "signature_missing"}
    assert search_signature(callback, [SECRET, OTHER_SECRET]) == ()


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from(ENCODINGS))
def test_what_is_decoded_has_32_bytes(text: bytes, encoding: SignatureEncoding) -> None:
    """Any text says 32 bytes, or none."""
    digest = decoded_signature(text, encoding)
    assert digest is None or len(digest) == 32


DIGEST = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "encoding", "well"),
    [
        (DIGEST.hex().encode(), "hex", True),
        (DIGEST.hex().upper().encode(), "hex", True),
        (DIGEST.hex().encode()[:-2], "hex", False),
        (DIGEST.hex().encode()[:-1], "hex", False),
        (DIGEST.hex().encode() + b"00", "hex", False),
        (DIGEST.hex(" ").encode(), "hex", False),
        (b" " + DIGEST.hex().encode(), "hex", False),
        (b"0x" + DIGEST.hex().encode()[2:], "hex", False),
        (base64.b64encode(DIGEST), "hex", False),
        (base64.b64encode(DIGEST), "base64", True),
        (base64.b64encode(DIGEST)[:-1], "base64", True),
        (base64.b64encode(DIGEST)[:-2], "base64", False),
        (base64.b64encode(DIGEST) + b"=", "base64", False),
        (base64.b64encode(DIGEST + b"x"), "base64", False),
        (base64.b64encode(DIGEST[:31]), "base64", False),
        (base64.urlsafe_b64encode(b"\xff" * 32), "base64", False),
        (DIGEST.hex().encode(), "base64", False),
        (b"", "base64", False),
        (b"", "hex", False),
    ],
)
def test_encodings_are_read_strictly(text: bytes, encoding: str, well: bool) -> None:
    """Only Base64's padding may be missing; nothing else is guessed or skipped."""
    digest = decoded_signature(text, SignatureEncoding(encoding))
    assert digest == (DIGEST if well else None)


def test_one_signature_written_in_two_ways_is_one() -> None:
    """With and without padding, or in letters of either case, the two headers agree."""
    twins = SignatureScheme((b"x-hmac", b"hmac-header"))
    digest = hmac.digest(SECRET, b"Tp", "sha256")
    padded = base64.b64encode(digest)
    body = body_of(timestamp="T", payload="p")
    callback = parse_envelope(body, [(b"x-hmac", padded), (b"hmac-header", padded[:-1])])
    assert reason_of(callback, twins) == "verified"
    other = parse_envelope(body, [(b"x-hmac", padded), (b"hmac-header", b"none")])
    assert reason_of(other, twins) == "signature_mismatch"


@pytest.mark.parametrize(
    ("body", "payload", "escaped"),
    [
        (b'{"payload":"a\\/b"}', "a/b", b"a\\/b"),
        (b'{"payload" :\t"\\u0061"}', "a", b"\\u0061"),
        (b'{"payload":""}', "", b""),
        (b'{"payload":"x","payload":"\\u0078"}', "x", b"\\u0078"),
        (b'{"payload":"old","payload":"new"}', "new", b"new"),
        (b'{"links":[{"payload":"inner"}],"payload":"p"}', "p", b"p"),
        (b'{"payload":"p","links":[{"payload":"inner"}]}', "p", b"p"),
        (
            b'{"payload":"q\\"payload\\":\\"p\\"","x":1}',
            'q"payload":"p"',
            b'q\\"payload\\":\\"p\\"',
        ),
        (b'{"note":"\\"payload\\":\\"p","payload":"r"}', "r", b"r"),
        (b'{"p\\u0061yload":"p"}', "p", None),
        (b'{"payload":"signed","p\\u0061yload":"other"}', "other", None),
        (b"", "p", None),
        (b"\xff", "p", None),
    ],
)
def test_the_escaped_payload_is_that_of_the_payload(
    body: bytes, payload: str, escaped: bytes | None
) -> None:
    """The text as it stands in the body, of the field that a parser takes; never of another."""
    assert escaped_payload(body, payload) == escaped


def test_one_payload_under_the_signature_of_another_is_refused() -> None:
    """A signed text that the body only carries beside the payload that counts is no proof."""
    scheme = SignatureScheme((b"x-own",), MessageForm.TIMESTAMP_ESCAPED_PAYLOAD)
    honest = body_of(timestamp="T", payload="signed")
    assert reason_of(signed_by(scheme, b"Tsigned", honest), scheme) == "verified"
    for forged in (
        honest[:-1] + b',"p\\u0061yload":"forged"}',
        honest[:-1] + b',"payload":"forged"}',
        honest.replace(b'"signed"', b'"forged"')[:-1] + b',"links":[{"payload":"signed"}]}',
    ):
        assert reason_of(signed_by(scheme, b"Tsigned", forged), scheme) == "signature_mismatch"


def test_many_fields_of_the_name_cost_little() -> None:
    """A body full of payloads is looked at in one pass, and the last few are compared."""
    inner = ",".join('{"payload":"x"}' for _ in range(20_000))
    body = f'{{"payload":"p","links":[{inner}]}}'.encode()
    assert escaped_payload(body, "p") is None
