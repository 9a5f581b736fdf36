"""How a request's headers frame its body: one meaning for every proxy on the way, or refused.

The parser (llhttp) is strict about syntax. What it lets pass and RFC 9112 does not is odd here:
transfer codings beside one `chunked` (6.1), `chunked` in HTTP/1.0 (6.1), more than one Host (3.2).
"""

from typing import Final

NAMES: Final = frozenset({b"content-length", b"transfer-encoding", b"host", b"expect"})
# No body that is read is so long, and Python refuses to read far longer numbers.
MAX_LENGTH_DIGITS: Final = 20


class Framing:
    """Of one request; grows with its headers.

    Attributes:
        announced_bytes: Its Content-Length; -1: it has none.
        expects_continue: The client waits for "100 Continue" before it sends the body.
    """

    __slots__ = ("_codings", "_hosts", "_odd", "announced_bytes", "expects_continue")

    def __init__(self) -> None:
        self.announced_bytes = -1
        self.expects_continue = False
        self._hosts = self._codings = 0
        self._odd = False

    def add(self, name: bytes, value: bytes) -> None:
        """One more header of `NAMES`, its name in lower case."""
        value = value.strip()
        if name == b"content-length":
            if value.isdigit() and len(value) <= MAX_LENGTH_DIGITS:
                self.announced_bytes = int(value)
            else:
                self._odd = True
        elif name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expects_continue |= value.lower() == b"100-continue"
        else:
            self._codings += 1
            self._odd |= value.lower() != b"chunked"

    def is_sound(self, version: str) -> bool:
        """Whether the headers, now complete, mean the same to everybody. `version`: as "1.1"."""
        if version == "1.0":
            self.expects_continue = False  # to be ignored: RFC 9110, 10.1.1
            return not (self._odd or self._codings or self._hosts > 1)
        return version == "1.1" and not (self._odd or self._codings > 1 or self._hosts > 1)
