"""Which scheme and secret would have matched: for commissioning, never for deciding."""

import hmac
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.usps.callback import RawCallback
from schemas.usps.signature import MessageForm, SignatureEncoding, decoded_signature

# What one look may cost: a digest per form and secret, however many headers come.
MAX_SIGNATURES: Final = 4
MAX_SECRETS: Final = 4


class Match(NamedTuple):
    """A combination that fits.

    Attributes:
        header: Its name, lower case.
        secret_index: 0 is the newest.
    """

    header: str
    message: MessageForm
    encoding: SignatureEncoding
    secret_index: int


def search_signature(callback: RawCallback, secrets: Sequence[bytes]) -> tuple[Match, ...]:
    """Every form of message under every secret, against whatever header says 32 bytes.

    The first four such headers and secrets are tried. A name in a match is not anybody's
    invention: who made the signature had the secret.
    """
    found = []
    forms = (MessageForm.RAW_BODY,) if callback.flat else tuple(MessageForm)
    given = _signatures(callback)
    for form in forms if given else ():
        signed = callback.signed(form)
        if signed is None:
            continue
        for index, secret in enumerate(secrets[:MAX_SECRETS]):
            expected = hmac.digest(secret, signed, "sha256")
            found += [
                Match(header, form, encoding, index)
                for header, encoding, digest in given
                if hmac.compare_digest(digest, expected)
            ]
    return tuple(found)


def _signatures(callback: RawCallback) -> list[tuple[str, SignatureEncoding, bytes]]:
    found: list[tuple[str, SignatureEncoding, bytes]] = []
    for name, value in callback.headers:
        for encoding in SignatureEncoding:
            digest = decoded_signature(value, encoding)
            if digest is not None and len(found) < MAX_SIGNATURES:
                found.append((name.decode("latin-1").lower(), encoding, digest))
    return found
