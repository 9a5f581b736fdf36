"""Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`, one per secret."""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr

from processors.sinks.base import SinkUnusable

PREFIX: Final = "whsec_"


def signing_key(secret: SecretStr) -> bytes:
    """The key in a secret of the form `whsec_` and Base64. Raises `SinkUnusable`."""
    value = secret.get_secret_value()
    try:
        key = b64decode(value.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not key or not value.startswith(PREFIX):
        raise SinkUnusable(
            "signing_secret_malformed", "a signing secret is whsec_ followed by Base64"
        )
    return key


def signature(keys: Sequence[bytes], event_id: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature`, all secrets' signatures separated by spaces."""
    signed = b"%b.%b.%b" % (event_id.encode(), timestamp.encode(), body)
    return " ".join(f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in keys)
