"""Sound HTTP around bodies that are no callback, or odd ones."""

import gzip
from typing import Final

from tests.receiver.listening.hostile.shapes import BODY, HEADERS, envelope, one, whole
from tests.receiver.public_port import CLOSE, raw
from tests.receiver.world import callback

_SURROGATE: Final = BODY.replace(b'"TRACKING"', b'"\\ud800"')
BODIES: Final = [
    one("body_empty_object", whole(b"{}"), 400),
    one("body_list", whole(b"[]"), 400),
    one("body_null", whole(b"null"), 400),
    one("body_nan", whole(b'{"payload": NaN}'), 400),
    one("body_infinity", whole(b'{"payload": -Infinity}'), 400),
    one("body_half", whole(BODY[:-20]), 400),
    one("body_more_behind", whole(BODY + b"x"), 400),
    one("body_twice", whole(BODY + BODY), 400),
    one("body_comment", whole(b"/* */" + BODY), 400),
    one("body_single_quotes", whole(BODY.replace(b'"', b"'")), 400),
    one("body_byte_order_mark", whole(b"\xef\xbb\xbf" + BODY), 400),
    one("body_utf_16", whole(BODY.decode().encode("utf-16")), 400),
    one("body_invalid_utf_8", whole(BODY.replace(b"TRACKING", b"TRACK\xff\xfe")), 400),
    one("body_overlong_utf_8", whole(BODY.replace(b"TRACKING", b"TRACK\xc0\xaf")), 400),
    one("body_raw_surrogate", whole(BODY.replace(b"TRACKING", b"\xed\xa0\x80")), 400),
    one("body_lone_surrogate", whole(_SURROGATE), 400),
    one("body_raw_nul", whole(BODY.replace(b"TRACKING", b"TRACK\0")), 400),
    one("body_nuls", whole(b"\0" * 5_000), 400),
    one("body_deep_lists", whole(b"[" * 500_000 + b"]" * 500_000), 400),
    one("body_deep_objects", whole(b'{"a":' * 150_000), 400),
    one("body_form", whole(b"payload=1&x=2"), 400),
    one("body_xml_entities", whole(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), 400),
    one("body_compressed", whole(gzip.compress(BODY), b"content-encoding: gzip"), 400),
    one("body_bomb", whole(gzip.compress(b"0" * 9_000_000), b"content-encoding: gzip"), 400),
    one("body_said_compressed", raw(BODY, HEADERS, b"content-encoding: gzip", CLOSE), 200),
    one("envelope_wrong_types", whole(envelope(payload={"a": 1})), 400),
    one("envelope_nul_id", whole(envelope(subscriptionId="\0")), 401),
    one("envelope_odd_id", whole(envelope(subscriptionId="../../etc/passwd\r\nx: y")), 401),
    one("envelope_long_id", whole(envelope(subscriptionId="x" * 900_000)), 401),
    one("envelope_twice_the_field", whole(BODY[:-1] + b',"payload":"x"}'), 401),
    one("envelope_huge_number", raw(*callback('{"trackingNumber":"A","x":1e999}'), CLOSE), 200),
    one("envelope_of_a_megabyte", raw(*callback("x" * 1_040_000), CLOSE), 200),
    one("signature_absent", whole(BODY), 401),
    one("signature_not_base64", whole(BODY, b"x-hmac: \xff\xfe!!"), 401),
    one("signature_long", whole(BODY, b"x-hmac: " + b"A" * 60_000), 401),
    one("signatures_that_differ", raw(BODY, HEADERS, CLOSE, b"x-hmac: AAAA"), 401),
]
