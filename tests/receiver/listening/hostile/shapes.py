"""What hostile requests are made of: good callbacks, and requests that are odd in one way."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from tests.receiver.public_port import CLOSE, raw
from tests.receiver.world import callback


class HostileRequest(NamedTuple):
    """One conversation: the pieces the client sends, and the statuses it is answered."""

    name: str
    sent: tuple[bytes, ...]
    statuses: list[int]


BODY, HEADERS = callback()
GOOD: Final = raw(BODY, HEADERS)
LAST: Final = raw(BODY, HEADERS, CLOSE)
SIGNED: Final = HEADERS[2]
LINE: Final = b"POST /usps/tracking HTTP/1.1"


def sent(
    *headers: bytes, body: bytes = b"", line: bytes = LINE, host: bytes = b"host: receiver"
) -> bytes:
    """A request with just these headers; it asks to be the last one."""
    return b"\r\n".join([line, host, CLOSE, *headers]) + b"\r\n\r\n" + body


def whole(body: bytes, *headers: bytes) -> bytes:
    """With a true Content-Length."""
    return sent(b"content-length: %d" % len(body), *headers, body=body)


def chunked(*chunks: bytes) -> bytes:
    """Signed, its body in these pieces."""
    return sent(b"transfer-encoding: chunked", b"%b: %b" % SIGNED, body=b"".join(chunks))


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """One piece of a chunked body."""
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def envelope(**fields: object) -> bytes:
    """A callback's body with other fields in its envelope."""
    return orjson.dumps(orjson.loads(BODY) | fields)


def one(name: str, sent: bytes | Sequence[bytes], *statuses: int) -> HostileRequest:
    """A row of the table."""
    pieces = (sent,) if isinstance(sent, bytes) else tuple(sent)
    return HostileRequest(name, pieces, list(statuses))


LENGTH: Final = b"content-length: %d" % len(BODY)
END: Final = b"0\r\n\r\n"
