"""Good requests, and hostile ones, spoilt at random; the same seed spoils the same way."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

import orjson

from tests.receiver.listening.hostile.requests import ALL
from tests.receiver.listening.hostile.shapes import GOOD, LAST
from tests.receiver.public_port import CLOSE, raw
from tests.receiver.world import PAYLOAD, callback

_SPICES: Final = (
    *(b"\0", b"\r\n", b"\n", b"\r", b" ", b":", b"\xff", b"\r\n\r\n", b"0\r\n\r\n", b"%00"),
    *(b"content-length: 7\r\n", b"content-length: -1\r\n", b"transfer-encoding: chunked\r\n"),
    *(b"expect: 100-continue\r\n", b"connection: close\r\n", b"connection: upgrade\r\n"),
    *(b"upgrade: h2c\r\n", b"host: a\r\n", b"x: y\r\n" * 200, b"HTTP/1.0", b"GET / HTTP/1.1"),
    *(b"\\ud800", b"\\u0000", b'"', b"{" * 2_000, b"NaN", b"1e999", b"\xed\xa0\x80", b"\\"),
)
_Spoil = Callable[[Random, bytes], bytes]


def _flip(choose: Random, sent: bytes) -> bytes:
    at = choose.randrange(len(sent))
    return sent[:at] + bytes([choose.randrange(256)]) + sent[at + 1 :]


def _cut(choose: Random, sent: bytes) -> bytes:
    return sent[: choose.randrange(len(sent))]


def _leave_out(choose: Random, sent: bytes) -> bytes:
    at = choose.randrange(len(sent))
    return sent[:at] + sent[at + choose.randrange(1, 40) :]


def _repeat(choose: Random, sent: bytes) -> bytes:
    at = choose.randrange(len(sent))
    until = at + choose.randrange(1, 80)
    return sent[:until] + sent[at:until] * choose.randrange(1, 4) + sent[until:]


def _spice(choose: Random, sent: bytes) -> bytes:
    at = choose.randrange(len(sent))
    return sent[:at] + choose.choice(_SPICES) + sent[at:]


def _spice_headers(choose: Random, sent: bytes) -> bytes:
    lines = sent.split(b"\r\n")
    lines.insert(choose.randrange(1, 8), choose.choice(_SPICES).rstrip())
    return b"\r\n".join(lines)


def _follow(choose: Random, sent: bytes) -> bytes:
    return sent + choose.choice((GOOD, LAST, sent[: choose.randrange(len(sent))]))


_SPOILS: Final[Sequence[_Spoil]] = (
    *(_flip, _flip, _cut, _leave_out, _repeat, _spice, _spice_headers, _follow),
)
_BASES: Final = (
    *(GOOD, LAST, GOOD + LAST),
    *(b"".join(row.sent) for row in ALL if 0 < sum(map(len, row.sent)) < 4_000),
)


def _whole(choose: Random) -> bytes:
    """Sound HTTP around a spoilt body, or around a spoilt payload that is signed all the same."""
    text = orjson.dumps(PAYLOAD)
    if choose.random() < 0.5:
        spoilt = choose.choice(_SPOILS)(choose, text)
        return raw(*callback(spoilt.decode("utf-8", "replace")), CLOSE)
    body = choose.choice(_SPOILS)(choose, callback()[0])
    return raw(body, [(b"content-length", b"%d" % len(body)), callback()[1][2]], CLOSE)


def _spoilt(choose: Random) -> bytes:
    sent = choose.choice(_BASES) if choose.random() < 0.5 else choose.choice(_BASES[:3])
    for _ in range(choose.choice((1, 1, 1, 2, 3, 6))):
        sent = choose.choice(_SPOILS)(choose, sent) or GOOD
    return sent


def mutated(seed: int) -> Iterator[tuple[bytes, ...]]:
    """Conversations without end, each the pieces a client sends."""
    choose = Random(seed)
    while True:
        sent = _whole(choose) if choose.random() < 0.3 else _spoilt(choose)
        at = choose.randrange(len(sent)) if choose.random() < 0.2 else 0
        yield (sent[:at], sent[at:]) if at else (sent,)
