"""The table of answers that our HTTP client must survive, and what each is to it."""

from tests.processors.sinks.hostile_server import Answer, floods, says, says_nothing, trickles

UNREADABLE = "answer_unreadable"
LOST = "connection_failed"
LATE = "timed_out"


def answer(*headers: str, body: str = "", status: str = "200 OK") -> bytes:
    """An answer's bytes."""
    lines = [f"HTTP/1.1 {status}", *headers, "", body]
    return "\r\n".join(lines).encode("latin-1")


OK = answer("content-length: 0")
CONTINUE = answer(status="100 Continue")
CHUNKED = "transfer-encoding: chunked"
UPGRADE = answer("upgrade: h2c", "connection: upgrade", status="101 Switching Protocols")
# A status as soon as it is certain, else the reason why there is none.
ANSWERS: dict[str, tuple[Answer, int | str]] = {
    "plain": (says(OK), 200),
    "no length, closed": (says(answer(body="some"), then_close=True), 200),
    "http/1.0": (says(b"HTTP/1.0 200 OK\r\n\r\n", then_close=True), 200),
    "no reason phrase": (says(answer(status="204")), 204),
    "chunked": (says(answer(CHUNKED, body="1\r\na\r\n0\r\n\r\n")), 200),
    "redirect": (says(answer("location: http://x/", "content-length: 0", status="302 F")), 302),
    "interim": (says(CONTINUE + answer(status="103 Early Hints") + OK), 200),
    "only interim": (says(CONTINUE), LATE),
    "endless interim": (floods(b"", CONTINUE * 99), UNREADABLE),
    "switching protocols": (says(UPGRADE), UNREADABLE),
    "not http": (says(b"SSH-2.0-OpenSSH_9.6\r\n"), UNREADABLE),
    "binary": (says(bytes(range(256))), UNREADABLE),
    "http/2": (says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"), UNREADABLE),
    "status of letters": (says(answer("content-length: 0", status="abc OK")), UNREADABLE),
    "status of four digits": (says(answer("content-length: 0", status="2000 OK")), UNREADABLE),
    "two lengths": (says(answer("content-length: 1", "content-length: 2")), UNREADABLE),
    "negative length": (says(answer("content-length: -1")), UNREADABLE),
    "length and chunks": (says(answer("content-length: 1", CHUNKED)), UNREADABLE),
    "bare line feeds": (says(b"HTTP/1.1 200 OK\nx: y\n\n"), UNREADABLE),
    "broken chunk": (says(answer(CHUNKED, body="zz\r\n")), 200),
    "short of its length": (says(answer("content-length: 9", body="a"), then_close=True), 200),
    "waits with its body": (says(answer("content-length: 9", body="a")), 200),
    "endless body": (floods(answer(), b"x" * 10_000), 200),
    "huge length": (floods(answer("content-length: 99999999999"), b"x" * 10_000), 200),
    "endless head": (floods(b"HTTP/1.1 200 OK\r\n", b"x-y: zzzzzzz\r\n" * 99), UNREADABLE),
    "endless header": (floods(b"HTTP/1.1 200 OK\r\nx: ", b"z" * 10_000), UNREADABLE),
    "endless reason": (floods(b"HTTP/1.1 200 ", b"z" * 10_000), UNREADABLE),
    "two answers": (says(OK + OK), 200),
    "answer and rubbish": (says(OK + b"rubbish"), 200),
    "closes at once": (says(b"", then_close=True), LOST),
    "closes amid its head": (says(OK[:20], then_close=True), LOST),
    "says nothing": (says_nothing, LATE),
    "trickles": (trickles(OK, 0.1), LATE),
}
