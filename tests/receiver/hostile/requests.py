"""What hostile, broken and odd clients send, each with what comes back: statuses in order.

An empty list: the connection is closed without a word. Bodies come in the order of `sent`, with
a short pause between pieces.
"""

import gzip
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
_SIGNED: Final = HEADERS[2]
_LINE: Final = b"POST /usps/tracking HTTP/1.1"


def _sent(
    *headers: bytes, body: bytes = b"", line: bytes = _LINE, host: bytes = b"host: receiver"
) -> bytes:
    """A request with just these headers; it asks to be the last one."""
    return b"\r\n".join([line, host, CLOSE, *headers]) + b"\r\n\r\n" + body


def _whole(body: bytes, *headers: bytes) -> bytes:
    """With a true Content-Length."""
    return _sent(b"content-length: %d" % len(body), *headers, body=body)


def _chunked(*chunks: bytes) -> bytes:
    return _sent(b"transfer-encoding: chunked", b"%b: %b" % _SIGNED, body=b"".join(chunks))


def _chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def _envelope(**fields: object) -> bytes:
    """A callback's body with other fields in its envelope."""
    return orjson.dumps(orjson.loads(BODY) | fields)


def _one(name: str, sent: bytes | Sequence[bytes], *statuses: int) -> HostileRequest:
    pieces = (sent,) if isinstance(sent, bytes) else tuple(sent)
    return HostileRequest(name, pieces, list(statuses))


_LENGTH: Final = b"content-length: %d" % len(BODY)
_END: Final = b"0\r\n\r\n"

LENGTHS: Final = [
    _one("length_negative", _sent(b"content-length: -1", body=BODY), 400),
    _one("length_signed", _sent(b"content-length: +5", body=BODY), 400),
    _one("length_hexadecimal", _sent(b"content-length: 0x10", body=BODY), 400),
    _one("length_words", _sent(b"content-length: many", body=BODY), 400),
    _one("length_empty", _sent(b"content-length:", body=BODY), 400),
    _one("length_fraction", _sent(b"content-length: 5.0", body=BODY), 400),
    _one("length_two_numbers", _sent(b"content-length: 1 2", body=BODY), 400),
    _one("length_list", _sent(b"content-length: 5, 5", body=BODY), 400),
    _one("length_repeated", _sent(_LENGTH, _LENGTH, body=BODY), 400),
    _one("length_conflicting", _sent(_LENGTH, b"content-length: 3", body=BODY), 400),
    _one("length_overflowing", _sent(b"content-length: 18446744073709551616", body=BODY), 400),
    _one("length_of_5000_digits", _sent(b"content-length: %b7" % (b"0" * 5_000)), 400),
    _one(
        "length_of_5000_digits_pipelined",
        GOOD + _sent(b"content-length: %b7" % (b"0" * 5_000), b"expect: 100-continue"),
        *(200, 400),
    ),
    _one("length_arabic_digits", _sent(b"content-length: \xd9\xa5", body=BODY), 400),
    _one("length_zero", _sent(b"content-length: 0"), 400),
    _one("length_absent", _sent(), 400),
    _one("length_huge", _sent(b"content-length: 18446744073709551615", body=BODY), 413),
    _one("length_just_over", _sent(b"content-length: 1048577"), 413),
    _one("length_trailing_space", _sent(_LENGTH + b" ", b"%b: %b" % _SIGNED, body=BODY), 200),
    _one("length_huge_trailing_space", _sent(b"content-length: 99999999 "), 413),
    _one("length_leading_zeros", _sent(b"content-length: 0002", body=b"[]"), 400),
    _one("length_too_short", GOOD.replace(_LENGTH, b"content-length: 9") + GOOD, 400, 400),
    _one("length_too_long", _sent(b"content-length: 5000", body=BODY), 408),
    _one("length_huge_sent_whole", _whole(b"x" * 2_000_000), 413),
    _one("length_huge_expecting", _sent(b"content-length: 2000000", b"expect: 100-continue"), 413),
]
CODINGS: Final = [
    _one("length_and_chunked", _sent(_LENGTH, b"transfer-encoding: chunked", body=_END), 400),
    _one("chunked_and_length", _sent(b"transfer-encoding: chunked", _LENGTH, body=_END), 400),
    _one("coding_twice", _sent(*[b"transfer-encoding: chunked"] * 2, body=_END), 400),
    _one(
        "coding_identity_then_chunked",
        _sent(b"transfer-encoding: identity", b"transfer-encoding: chunked", body=_END),
        400,
    ),
    _one("coding_unknown", _sent(b"transfer-encoding: xchunked", body=_END), 400),
    _one("coding_identity", _sent(b"transfer-encoding: identity", body=_END), 400),
    _one("coding_gzip_chunked", _sent(b"transfer-encoding: gzip, chunked", body=_END), 400),
    _one("coding_chunked_gzip", _sent(b"transfer-encoding: chunked, gzip", body=_END), 400),
    _one("coding_with_parameter", _sent(b"transfer-encoding: chunked;q=1", body=_END), 400),
    _one("coding_quoted", _sent(b'transfer-encoding: "chunked"', body=_END), 400),
    _one("coding_empty", _sent(b"transfer-encoding:", body=_END), 400),
    _one("coding_folded", _sent(b"transfer-encoding:\r\n chunked", body=_END), 400),
    _one("coding_space_before_colon", _sent(b"transfer-encoding : chunked", body=_END), 400),
    _one("coding_vertical_tab", _sent(b"transfer-encoding: \x0bchunked", body=_END), 400),
    _one(
        "coding_in_http_1_0",
        _sent(b"transfer-encoding: chunked", line=b"POST /usps/tracking HTTP/1.0", body=_END),
        400,
    ),
    _one("coding_upper_case", _chunked(_chunk(BODY), _END).replace(b"chunked", b"CHUNKED"), 200),
    _one(
        "smuggled_request",
        GOOD.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n", 1) + GOOD,
        400,
    ),
]
CHUNKS: Final = [
    _one("chunks_good", _chunked(_chunk(BODY[:99]), _chunk(BODY[99:]), _END), 200),
    _one("chunks_of_one_byte", _chunked(*(_chunk(b"%c" % byte) for byte in BODY), _END), 200),
    _one("chunk_extensions", _chunked(_chunk(BODY, b';a=b;c="d"'), _END), 200),
    _one("chunk_sizes_with_zeros", _chunked(b"000" + _chunk(BODY), b"00000\r\n\r\n"), 200),
    _one("trailers", _chunked(_chunk(BODY), b"0\r\nx-hmac: other\r\nx: y\r\n\r\n"), 200),
    _one("trailer_length", _chunked(_chunk(BODY), b"0\r\ncontent-length: 5\r\n\r\n"), 400),
    _one("trailer_broken", _chunked(_chunk(BODY), b"0\r\nno colon\r\n\r\n"), 400),
    _one("chunk_size_words", _chunked(b"xyz\r\n"), 400),
    _one("chunk_size_negative", _chunked(b"-1\r\n"), 400),
    _one("chunk_size_prefixed", _chunked(b"0x1\r\na\r\n", _END), 400),
    _one("chunk_size_underscored", _chunked(b"1_0\r\n"), 400),
    _one("chunk_size_empty", _chunked(b"\r\na\r\n", _END), 400),
    _one("chunk_size_spaced", _chunked(b"1 \r\na\r\n", _END), 400),
    _one("chunk_size_overflowing", _chunked(b"fffffffffffffffff\r\n"), 400),
    _one("chunk_size_huge", _chunked(b"ffffffffffffffff\r\n"), 408),
    _one("chunk_longer_than_said", _chunked(b"1\r\nab\r\n", _END), 400),
    _one("chunk_without_line_end", _chunked(b"1\r\na0\r\n\r\n"), 400),
    _one("chunk_bare_line_feeds", _chunked(b"1\na\n0\n\n"), 400),
    _one("chunk_extension_line_feed", _chunked(b"1;a\nb\r\na\r\n", _END), 400),
    _one("chunk_extension_nul", _chunked(b'1;a="\0"\r\na\r\n', _END), 400),
    _one(
        "chunk_extension_of_100_kilobytes", _chunked(_chunk(BODY, b";" + b"a" * 100_000), _END), 200
    ),
    _one(
        "chunk_extensions_of_3_megabytes",
        [_chunked(_chunk(BODY, b";" + b"a" * 100_000)), *[b"1;%b\r\n \r\n" % (b"a" * 99_000)] * 30],
        413,
    ),
    _one(
        "trailers_of_3_megabytes",
        [_chunked(_chunk(BODY), b"0\r\nx: y"), *[b"z" * 100_000] * 30],
        413,
    ),
    _one("chunks_without_end", _chunked(_chunk(BODY)), 408),
    _one("chunks_too_much", _chunked(*[_chunk(b"x" * 100_000)] * 11, _END), 413),
    _one("chunks_too_much_expecting", _chunked(*[_chunk(b"x" * 99_999)] * 11, _END), 413),
]
HEADER_SHAPES: Final = [
    _one("folded_header", _sent(b"x: a\r\n b"), 400),
    _one("line_feeds_only", GOOD.replace(b"\r\n", b"\n"), 400),
    _one("one_line_feed", _sent(b"x: a\nx: b"), 400),
    _one("bare_carriage_return", _sent(b"x: a\rb: c"), 400),
    _one("space_before_colon", _sent(b"content-length : 5", body=b"hello"), 400),
    _one("space_in_name", _sent(b"content length: 5", body=b"hello"), 400),
    _one("space_before_first_header", _sent(host=b" host: receiver"), 400),
    _one("nul_in_value", _sent(b"x: a\0b"), 400),
    _one("nul_in_name", _sent(b"x\0: a"), 400),
    _one("control_in_value", _sent(b"x: a\x01b"), 400),
    _one("delete_in_value", _sent(b"x: a\x7fb"), 400),
    _one("high_bytes_in_value", raw(BODY, HEADERS, CLOSE, b"x: \xff\xfe"), 200),
    _one("high_bytes_in_name", _sent("é: a".encode()), 400),
    _one("empty_name", _sent(b": a"), 400),
    _one("no_colon", _sent(b"nothing"), 400),
    _one("host_twice", raw(BODY, HEADERS, CLOSE, b"host: other"), 400),
    _one("host_absent", GOOD.replace(b"host: receiver", CLOSE), 200),
    _one("header_of_70_kilobytes", _sent(b"x: " + b"y" * 70_000), 431),
    _one("header_never_ending", [b"%b\r\nx: " % _LINE, *[b"y" * 10_000] * 9], 431),
    _one("headers_15000", _sent(*[b"x: y"] * 15_000), 431),
    _one("headers_129", _sent(*[b"x: y"] * 127), 431),
    _one("headers_128", raw(BODY, HEADERS, CLOSE, *[b"x: y"] * 123), 200),
    _one("name_of_70_kilobytes", _sent(b"x" * 70_000 + b": y"), 431),
    _one("name_never_ending", [_LINE + b"\r\n", *[b"y" * 10_000] * 9], 431),
]
TARGETS: Final = [
    _one("target_of_70_kilobytes", _sent(line=b"POST /%b HTTP/1.1" % (b"x" * 70_000)), 431),
    _one("target_of_10_kilobytes", _sent(line=b"POST /%b HTTP/1.1" % (b"x" * 10_000)), 414),
    _one("target_never_ending", [b"POST /", *[b"y" * 10_000] * 9], 431),
    _one("target_double_slash", _sent(line=b"POST //usps/tracking HTTP/1.1"), 404),
    _one("target_slash_behind", _sent(line=b"POST /usps/tracking/ HTTP/1.1"), 404),
    _one("target_dot", _sent(line=b"POST /usps/%2e/tracking HTTP/1.1"), 404),
    _one("target_dots", _sent(line=b"POST /x/../usps/tracking HTTP/1.1"), 404),
    _one("target_escaped_nul", _sent(line=b"POST /usps/tracking%00 HTTP/1.1"), 404),
    _one("target_escaped_badly", _sent(line=b"POST /usps/%zz%ff HTTP/1.1"), 404),
    _one("target_other_case", _sent(line=b"POST /USPS/Tracking HTTP/1.1"), 404),
    _one("target_metrics", _sent(line=b"GET /metrics HTTP/1.1"), 404),
    _one("target_readiness", _sent(line=b"GET /health/ready HTTP/1.1"), 404),
    _one("target_query", raw(BODY, HEADERS, CLOSE, line=b"POST /usps/tracking?a=b HTTP/1.1"), 200),
    _one("target_fragment", raw(BODY, HEADERS, CLOSE, line=b"POST /usps/tracking#a HTTP/1.1"), 200),
    _one(
        "target_absolute",
        raw(BODY, HEADERS, CLOSE, line=b"POST http://a/usps/tracking HTTP/1.1"),
        200,
    ),
    _one("target_absolute_without_path", _sent(line=b"POST http://a HTTP/1.1"), 400),
    _one("target_bad_port", _sent(line=b"POST http://a:99999/usps/tracking HTTP/1.1"), 400),
    _one("target_relative", _sent(line=b"POST usps/tracking HTTP/1.1"), 400),
    _one("target_query_only", _sent(line=b"POST ?a HTTP/1.1"), 400),
    _one("target_star", _sent(line=b"OPTIONS * HTTP/1.1"), 404),
    _one("target_high_bytes", _sent(line=b"POST /\xff HTTP/1.1"), 400),
    _one("target_nul", _sent(line=b"POST /\0 HTTP/1.1"), 400),
    _one("target_space", _sent(line=b"POST /a b HTTP/1.1"), 400),
    _one("target_tabs", _sent(line=b"POST\t/usps/tracking\tHTTP/1.1"), 400),
]
METHODS: Final = [
    _one("method_trace", _sent(line=b"TRACE /usps/tracking HTTP/1.1"), 405),
    _one("method_put", _sent(line=b"PUT /usps/tracking HTTP/1.1"), 405),
    _one("method_options", _sent(line=b"OPTIONS /usps/tracking HTTP/1.1"), 405),
    _one("method_propfind", _sent(line=b"PROPFIND /usps/tracking HTTP/1.1"), 405),
    _one("method_connect", _sent(line=b"CONNECT receiver:443 HTTP/1.1"), 405),
    _one("method_connect_then_more", _sent(line=b"CONNECT a:443 HTTP/1.1") + b"\x16\x03\x01", 405),
    _one("method_unknown", _sent(line=b"BREW /usps/tracking HTTP/1.1"), 400),
    _one("method_lower_case", _sent(line=b"post /usps/tracking HTTP/1.1"), 400),
    _one("method_of_9_kilobytes", b"A" * 9_000, 400),
    _one("probe", _sent(line=b"GET /usps/tracking HTTP/1.1"), 200),
    _one("probe_with_body", _whole(BODY).replace(b"POST", b"GET"), 200),
    _one(
        "probe_with_slow_body",
        _sent(b"content-length: 9", line=b"GET /usps/tracking HTTP/1.1"),
        200,
    ),
]
OTHER_PROTOCOLS: Final = [
    _one("http_0_9", b"GET /usps/tracking\r\n\r\n", 400),
    _one("http_1_0", raw(BODY, HEADERS, line=b"POST /usps/tracking HTTP/1.0"), 200),
    _one(
        "http_1_0_expecting",
        raw(BODY, HEADERS, b"expect: 100-continue", line=b"POST /usps/tracking HTTP/1.0"),
        200,
    ),
    _one("http_1_2", _sent(line=b"POST /usps/tracking HTTP/1.2"), 400),
    _one("http_2_0", _sent(line=b"POST /usps/tracking HTTP/2.0"), 400),
    _one("http_11", _sent(line=b"POST /usps/tracking HTTP/11"), 400),
    _one("http_lower_case", _sent(line=b"POST /usps/tracking http/1.1"), 400),
    _one("http_2_preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00", 400),
    _one("tls_hello", bytes.fromhex("16030100c8010000c40303") + b"\xaa" * 194, 400),
    _one("ssh_banner", b"SSH-2.0-OpenSSH_9.6\r\n", 400),
    _one("proxy_header", b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n" + GOOD, 400),
    _one("binary", bytes(range(256)), 400),
    _one("redis", b"*1\r\n$4\r\nPING\r\n", 400),
    _one(
        "websocket",
        _sent(
            *(b"upgrade: websocket", b"connection: upgrade", b"sec-websocket-version: 13"),
            line=b"GET /usps/tracking HTTP/1.1",
        ),
        200,
    ),
    _one(
        "http_2_asked_for", raw(BODY, HEADERS, b"upgrade: h2c", b"connection: upgrade, close"), 200
    ),
    _one(
        "upgrade_smuggling",
        _whole(GOOD, b"upgrade: h2c", b"connection: upgrade"),
        400,
    ),
]
PIPELINES: Final = [
    _one("pipelined", GOOD + GOOD + GOOD + LAST, *[200] * 4),
    _one("pipelined_mixed", GOOD + raw(b"{", [(b"content-length", b"1")]) + LAST, 200, 400, 200),
    _one("pipelined_garbage", GOOD + GOOD + b"garbage\r\n\r\n", 200, 200, 400),
    _one("pipelined_half", GOOD + GOOD[:50], 200, 408),
    _one("pipelined_half_body", GOOD + GOOD[:-9], 200, 408),
    _one("pipelined_too_large", GOOD + _sent(b"content-length: 2000000"), 200, 413),
    _one("pipelined_after_close", LAST + GOOD, 200),
    _one(
        "pipelined_probes",
        raw(b"", [], line=b"GET /usps/tracking HTTP/1.1") * 9 + LAST,
        *[200] * 10,
    ),
    _one("pipelined_too_many", raw(b"", [], line=b"GET /x HTTP/1.1") * 200, *[404] * 128, 503),
    _one("line_ends_first", b"\r\n\r\n" + LAST, 200),
    _one("line_ends_only", b"\r\n" * 99),
    _one("nothing", b""),
    _one("one_byte", b"P", 408),
]
EXPECTATIONS: Final = [
    _one("expecting", raw(BODY, HEADERS, b"expect: 100-continue", CLOSE), 100, 200),
    _one("expecting_something_else", raw(BODY, HEADERS, b"expect: miracles", CLOSE), 200),
    _one("expecting_elsewhere", _sent(b"expect: 100-continue", line=b"POST /x HTTP/1.1"), 404),
    _one("expecting_and_silent", raw(b"", HEADERS, b"expect: 100-continue", CLOSE), 100, 408),
]
_SURROGATE: Final = BODY.replace(b'"TRACKING"', b'"\\ud800"')
BODIES: Final = [
    _one("body_empty_object", _whole(b"{}"), 400),
    _one("body_list", _whole(b"[]"), 400),
    _one("body_null", _whole(b"null"), 400),
    _one("body_nan", _whole(b'{"payload": NaN}'), 400),
    _one("body_infinity", _whole(b'{"payload": -Infinity}'), 400),
    _one("body_half", _whole(BODY[:-20]), 400),
    _one("body_more_behind", _whole(BODY + b"x"), 400),
    _one("body_twice", _whole(BODY + BODY), 400),
    _one("body_comment", _whole(b"/* */" + BODY), 400),
    _one("body_single_quotes", _whole(BODY.replace(b'"', b"'")), 400),
    _one("body_byte_order_mark", _whole(b"\xef\xbb\xbf" + BODY), 400),
    _one("body_utf_16", _whole(BODY.decode().encode("utf-16")), 400),
    _one("body_invalid_utf_8", _whole(BODY.replace(b"TRACKING", b"TRACK\xff\xfe")), 400),
    _one("body_overlong_utf_8", _whole(BODY.replace(b"TRACKING", b"TRACK\xc0\xaf")), 400),
    _one("body_raw_surrogate", _whole(BODY.replace(b"TRACKING", b"\xed\xa0\x80")), 400),
    _one("body_lone_surrogate", _whole(_SURROGATE), 400),
    _one("body_raw_nul", _whole(BODY.replace(b"TRACKING", b"TRACK\0")), 400),
    _one("body_nuls", _whole(b"\0" * 5_000), 400),
    _one("body_deep_lists", _whole(b"[" * 500_000 + b"]" * 500_000), 400),
    _one("body_deep_objects", _whole(b'{"a":' * 150_000), 400),
    _one("body_form", _whole(b"payload=1&x=2"), 400),
    _one("body_xml_entities", _whole(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), 400),
    _one("body_compressed", _whole(gzip.compress(BODY), b"content-encoding: gzip"), 400),
    _one("body_bomb", _whole(gzip.compress(b"0" * 9_000_000), b"content-encoding: gzip"), 400),
    _one("body_said_compressed", raw(BODY, HEADERS, b"content-encoding: gzip", CLOSE), 200),
    _one("envelope_wrong_types", _whole(_envelope(payload={"a": 1})), 400),
    _one("envelope_nul_id", _whole(_envelope(subscriptionId="\0")), 401),
    _one("envelope_odd_id", _whole(_envelope(subscriptionId="../../etc/passwd\r\nx: y")), 401),
    _one("envelope_long_id", _whole(_envelope(subscriptionId="x" * 900_000)), 401),
    _one("envelope_twice_the_field", _whole(BODY[:-1] + b',"payload":"x"}'), 401),
    _one("envelope_huge_number", raw(*callback('{"trackingNumber":"A","x":1e999}'), CLOSE), 200),
    _one("envelope_of_a_megabyte", raw(*callback("x" * 1_040_000), CLOSE), 200),
    _one("signature_absent", _whole(BODY), 401),
    _one("signature_not_base64", _whole(BODY, b"x-hmac: \xff\xfe!!"), 401),
    _one("signature_long", _whole(BODY, b"x-hmac: " + b"A" * 60_000), 401),
    _one("signatures_that_differ", raw(BODY, HEADERS, CLOSE, b"x-hmac: AAAA"), 401),
]
TRICKLES: Final = [
    _one("headers_trickling", [b"%c" % byte for byte in LAST[:60]], 408),
    _one("body_trickling", [LAST[:-60], *(b"%c" % byte for byte in LAST[-60:-1])], 408),
    _one("chunks_trickling", [_chunked(), *[b"1\r\nx\r\n"] * 60], 408),
    _one("headers_without_end", [_LINE, *[b"\r\nx: y"] * 60], 408),
]
ALL: Final = [
    *(*LENGTHS, *CODINGS, *CHUNKS, *HEADER_SHAPES, *TARGETS, *METHODS, *OTHER_PROTOCOLS),
    *(*PIPELINES, *EXPECTATIONS, *BODIES, *TRICKLES),
]
