"""A callback of USPS: its envelope, and whether USPS sent it.

USPS signs `timestamp` + `payload`, the decoded strings with nothing between, with HMAC-SHA256
under the subscription's secret, and sends it in Base64 as `X-HMAC`; `hmac-header` is the
deprecated twin (its Subscriptions - Tracking document 3.2.2). A subscription may declare
another way: `schemas.usps.signature`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from typing import Final

import orjson

from schemas.errors import CallbackRejected
from schemas.usps.signature import (
    OFFICIAL_SCHEME,
    MessageForm,
    SignatureScheme,
    decoded_signature,
    signed_bytes,
)

Headers = Sequence[tuple[bytes, bytes]]

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class RawCallback:
    """A callback that anybody may have sent. What it holds is not shown in texts of ours.

    Attributes:
        timestamp: When USPS says it made the callback, as it stands in the envelope.
        payload: A JSON document as text, verbatim.
        headers: Of the request, names in any case.
        body: Of the request.
        flat: It came without an envelope (`schemas.usps.flat_body`): `payload` is the body.
    """

    subscription_id: str
    subscription_type: str
    timestamp: str
    payload: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    flat: bool = False

    def signed(self, form: MessageForm) -> bytes | None:
        """What USPS signs in this form. Without an envelope only the body can be signed."""
        if self.flat:
            return self.body
        return signed_bytes(form, self.timestamp, self.payload, self.body)


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
        return RawCallback(subscription_id, subscription_type, timestamp, payload, headers, body)
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
    signed = callback.signed(scheme.message)
    if signed is None:
        raise _mismatch("The body does not show the payload as it was signed.")
    matched = _matching_secret(given, signed, secrets)
    if matched is None:
        raise _mismatch("The signature does not fit.")
    return VerifiedCallback(callback, matched, _SEAL)


def _matching_secret(given: bytes, signed: bytes, secrets: Sequence[bytes]) -> int | None:
    """The first secret under which `given` signs `signed`, None if there is none."""
    matched = None
    # Every secret is tried, whether one matched already or not: the time taken tells nothing.
    for index, secret in enumerate(secrets):
        expected = hmac.digest(secret, signed, "sha256")
        if hmac.compare_digest(given, expected) and matched is None:
            matched = index
    return matched


def _given_signature(headers: Headers, scheme: SignatureScheme) -> bytes:
    """The 32 bytes that the request claims. Signatures that differ are refused."""
    names = scheme.header_names
    given = {value for name, value in headers if name.lower() in names and value}
    if not given:
        raise CallbackRejected("signature_missing", "The request carries no signature.")
    digests = {decoded_signature(value, scheme.encoding) for value in given}
    digest = digests.pop()
    if digests:
        raise _mismatch("The request carries signatures that differ.")
    if digest is None:
        raise _mismatch(f"The signature is not the {scheme.encoding.value} text of 32 bytes.")
    return digest


def _mismatch(detail: str) -> CallbackRejected:
    return CallbackRejected("signature_mismatch", detail)
