"""How a callback is signed: HMAC-SHA256 over one form of its text, in one or two headers.

USPS's document (Subscriptions - Tracking 3.2.2) knows one way, which is the default here. What
integrations tell of others differs from it in the header's name, in what is signed, and in how
the 32 bytes are written; a subscription declares exactly one combination.
"""

import re
from binascii import Error as EncodingError
from binascii import a2b_base64, a2b_hex
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

DIGEST_BYTES: Final = 32

_UNPADDED_CHARACTERS: Final = 43
# A body holds one envelope; more fields of the name are somebody's attempt to cost us time.
_MAX_CANDIDATES: Final = 8
# Possessive: no text of any length makes it go back. A body that was read as JSON is given.
_PAYLOAD_FIELD: Final = re.compile(
    rb'"payload"[ \t\r\n]*+:[ \t\r\n]*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL
)


class MessageForm(StrEnum):
    """What is signed."""

    TIMESTAMP_PAYLOAD = "timestamp+payload"
    TIMESTAMP_ESCAPED_PAYLOAD = "timestamp+escaped-payload"
    RAW_BODY = "raw-body"


class SignatureEncoding(StrEnum):
    """How the 32 bytes are written in the header."""

    BASE64 = "base64"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """How USPS signs for a subscription; the default is what its document says.

    Attributes:
        header_names: Lower case, the preferred one first.
    """

    header_names: tuple[bytes, ...] = (b"x-hmac", b"hmac-header")
    message: MessageForm = MessageForm.TIMESTAMP_PAYLOAD
    encoding: SignatureEncoding = SignatureEncoding.BASE64


OFFICIAL_SCHEME: Final = SignatureScheme()


def signed_bytes(form: MessageForm, timestamp: str, payload: str, body: bytes) -> bytes | None:
    """What is signed; None if the body does not show how the payload was escaped.

    `timestamp` and `payload` as decoded from `body`, which is JSON.
    """
    if form is MessageForm.TIMESTAMP_PAYLOAD:
        return f"{timestamp}{payload}".encode("utf-8", "surrogatepass")
    if form is MessageForm.RAW_BODY:
        return body
    escaped = escaped_payload(body, payload)
    return None if escaped is None else timestamp.encode("utf-8", "surrogatepass") + escaped


def escaped_payload(body: bytes, payload: str) -> bytes | None:
    """The text between the quotes of `payload` as the body has it; None if it is not found.

    Only a text that says this very payload counts: else somebody could send one payload under
    the signature of another.
    """
    found = _PAYLOAD_FIELD.findall(body)[-_MAX_CANDIDATES:]
    # Of two fields of one name a JSON parser takes the last.
    for escaped in reversed(found):
        try:
            if orjson.loads(b'"%b"' % escaped) == payload:
                return bytes(escaped)
        except orjson.JSONDecodeError:
            continue
    return None


def decoded_signature(text: bytes, encoding: SignatureEncoding) -> bytes | None:
    """The 32 bytes that a header's value says; None if it says none.

    Strict; only the padding of Base64 may be missing, and hex may have letters of either case.
    """
    try:
        if encoding is SignatureEncoding.HEX:
            digest = a2b_hex(text)
        else:
            padded = text + b"=" if len(text) == _UNPADDED_CHARACTERS else text
            digest = a2b_base64(padded, strict_mode=True)
    except EncodingError:
        return None
    return digest if len(digest) == DIGEST_BYTES else None
