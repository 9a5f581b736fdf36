"""A callback of USPS: its envelope, and whether USPS sent it.

USPS signs `timestamp` + `payload`, the decoded strings with nothing between, with HMAC-SHA256
under the subscription's secret, and sends it in Base64 as `X-HMAC`; `hmac-header` is the
deprecated twin (its Subscriptions - Tracking document 3.2.2).
"""

import hmac
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from typing import Final

import orjson

from schemas.errors import CallbackRejected

Headers = Sequence[tuple[bytes, bytes]]

_UNPADDED_CHARACTERS: Final = 43
_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class RawCallback:
    """A callback that anybody may have sent. What it holds is not shown in texts of ours.

    Attributes:
        timestamp: When USPS says it made the callback, as it stands in the envelope.
        payload: A JSON document as text, verbatim.
        headers: Of the request, names in any case.
    """

    subscription_id: str
    subscription_type: str
    timestamp: str
    payload: str = field(repr=False)
    headers: Headers = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """How USPS signs for a subscription; the default is what its document says.

    Attributes:
        header_names: Lower case, the preferred one first.
    """

    header_names: tuple[bytes, ...] = (b"x-hmac", b"hmac-header")


OFFICIAL_SCHEME: Final = SignatureScheme()


@dataclass(frozen=True, slots=True)
class VerifiedCallback:
    """A callback that USPS sent. Only `verify` makes one.

    Attributes:
        secret_index: Which of the subscription's secrets matched; 0 is the newest.
    """

    callback: RawCallback
    secret_index: int
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        """Raises `TypeError` for everybody but `verify`."""
        if seal is not _SEAL:
            raise TypeError("only verify() makes a VerifiedCallback")


def parse_envelope(body: bytes, headers: Headers) -> RawCallback:
    """The envelope of a request's body; `headers` as ASGI has them.

    Unknown fields are allowed, `links` is not looked at, any string is a subscription id.
    Raises `CallbackRejected` (`not_json`, `not_an_envelope`) and nothing else.
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CallbackRejected("not_json", "The body is not JSON.") from None
    if type(envelope) is not dict:
        raise CallbackRejected("not_an_envelope", "The body is not a JSON object.")
    get = envelope.get
    subscription_id, subscription_type = get("subscriptionId"), get("subscriptionType")
    timestamp, payload = get("timestamp"), get("payload")
    if (
        type(subscription_id) is str
        and type(subscription_type) is str
        and type(timestamp) is str
        and type(payload) is str
    ):
        return RawCallback(subscription_id, subscription_type, timestamp, payload, headers)
    raise CallbackRejected(
        "not_an_envelope",
        "subscriptionId, subscriptionType, timestamp and payload must be strings.",
    )


def verify(
    callback: RawCallback, secrets: Sequence[bytes], scheme: SignatureScheme = OFFICIAL_SCHEME
) -> VerifiedCallback:
    """The one way to a `VerifiedCallback`. `secrets`: every one still valid, newest first.

    Raises `CallbackRejected`: `signature_missing` or `signature_mismatch`.
    """
    given = _given_signature(callback.headers, scheme)
    signed = f"{callback.timestamp}{callback.payload}".encode("utf-8", "surrogatepass")
    matched = -1
    # Every secret is tried, whether one matched already or not: the time taken tells nothing.
    for index, secret in enumerate(secrets):
        expected = hmac.digest(secret, signed, "sha256")
        if hmac.compare_digest(given, expected) and matched < 0:
            matched = index
    if matched < 0:
        raise _mismatch("The signature does not fit.")
    return VerifiedCallback(callback, matched, _SEAL)


def _given_signature(headers: Headers, scheme: SignatureScheme) -> bytes:
    """The 32 bytes that the request claims. Signatures that differ are refused."""
    names = scheme.header_names
    given = {value for name, value in headers if name.lower() in names and value}
    if not given:
        raise CallbackRejected("signature_missing", "The request carries no signature.")
    if len(given) > 1:
        raise _mismatch("The request carries signatures that differ.")
    return _decoded(given.pop())


def _decoded(text: bytes) -> bytes:
    """Strict Base64; only the padding of what should be 32 bytes may be missing."""
    padded = text + b"=" if len(text) == _UNPADDED_CHARACTERS else text
    try:
        return a2b_base64(padded, strict_mode=True)
    except Base64Error:
        raise _mismatch("The signature is not Base64.") from None


def _mismatch(detail: str) -> CallbackRejected:
    return CallbackRejected("signature_mismatch", detail)
