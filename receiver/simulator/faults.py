"""Requests as USPS sends them, and as it, or somebody else, should not: one maker per kind."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Final
from uuid import UUID

import orjson

from receiver.simulator.callbacks import Callback, envelope, signature_headers
from receiver.simulator.outgoing import Becomes, Fault, Outgoing
from schemas.errors import OperatorError
from schemas.update import update_id

ACCEPTED: Final = "accepted"
# A MID that no example owns; nine digits, as MIDs that start with 9 have.
_FOREIGN_MID: Final = "999999999"
_ESCAPED_TWICE_BODY: Final = slice(1, -1)

FaultRates = Mapping[Fault, float]
SOME: Final[FaultRates] = {
    Fault.BAD_SIGNATURE: 0.01,
    Fault.MISSING_SIGNATURE: 0.005,
    Fault.UNKNOWN_SUBSCRIPTION: 0.01,
    Fault.NOT_JSON: 0.003,
    Fault.NOT_AN_ENVELOPE: 0.003,
    Fault.UNREADABLE_PAYLOAD: 0.003,
    Fault.MID_CONTRADICTION: 0.003,
    Fault.ESCAPED_TWICE: 0.005,
    Fault.REPEATED: 0.03,
    Fault.OUT_OF_ORDER: 0.05,
}
PRESETS: Final[Mapping[str, FaultRates]] = {"none": {}, "some": SOME}


def parse_rates(text: str) -> FaultRates:
    """`none`, `some`, or `kind=share,…` with shares from 0 to 1. Raises `OperatorError`."""
    if text in PRESETS:
        return PRESETS[text]
    rates: dict[Fault, float] = {}
    try:
        for part in text.split(","):
            kind, _, share = part.partition("=")
            rates[Fault(kind.strip())] = float(share)
    except ValueError:
        rates = {}
    if not rates or not all(0 <= share <= 1 for share in rates.values()):
        kinds = ", ".join(Fault)
        raise OperatorError(
            "faults_unreadable",
            f"--faults {text}: write none, some, or kind=share (0 to 1) with commas; "
            f"kinds: {kinds}",
        )
    return rates


def proper(callback: Callback, timestamp: str, fault: Fault | None = None) -> Outgoing:
    """As USPS sends it."""
    return _signed(callback, timestamp, callback.payload, fault)


def faulty(fault: Fault, callback: Callback, timestamp: str, choose: Random) -> Outgoing:
    """A request that is wrong in one way; made from a proper callback."""
    return _MAKERS[fault](callback, timestamp, choose)


def _signed(callback: Callback, timestamp: str, payload: str, fault: Fault | None) -> Outgoing:
    subscriber = callback.subscriber
    body = envelope(subscriber.subscription_id, timestamp, payload)
    return Outgoing(
        tracking_number=callback.tracking_number,
        subscription_id=subscriber.subscription_id,
        timestamp=timestamp,
        headers=signature_headers(subscriber, timestamp, payload, body),
        body=body,
        fault=fault,
        becomes=Becomes.PUBLISHED,
        status=200,
        slug=ACCEPTED,
        update_id=update_id(subscriber.subscription_id, timestamp, payload),
        event_ids=callback.event_ids,
        listener_url=subscriber.listener_url,
    )


def _refused(request: Outgoing, fault: Fault, status: int, slug: str) -> Outgoing:
    return replace(
        request,
        fault=fault,
        becomes=Becomes.REFUSED,
        status=status,
        slug=slug,
        update_id=None,
        event_ids=(),
    )


def _bad_signature(callback: Callback, timestamp: str, choose: Random) -> Outgoing:
    request = proper(callback, timestamp)
    forged = b64encode(choose.randbytes(32)).decode()
    request = replace(request, headers=dict.fromkeys(request.headers, forged))
    return _refused(request, Fault.BAD_SIGNATURE, 401, "signature_mismatch")


def _missing_signature(callback: Callback, timestamp: str, _: Random) -> Outgoing:
    request = replace(proper(callback, timestamp), headers={})
    return _refused(request, Fault.MISSING_SIGNATURE, 401, "signature_missing")


def _unknown_subscription(callback: Callback, timestamp: str, choose: Random) -> Outgoing:
    stranger = str(UUID(int=choose.getrandbits(128), version=4))
    request = replace(
        proper(callback, timestamp),
        subscription_id=stranger,
        body=envelope(stranger, timestamp, callback.payload),
    )
    return _refused(request, Fault.UNKNOWN_SUBSCRIPTION, 401, "unknown_subscription")


def _not_json(callback: Callback, timestamp: str, choose: Random) -> Outgoing:
    request = proper(callback, timestamp)
    cut = choose.randrange(1, len(request.body) // 2)
    return _refused(replace(request, body=request.body[:cut]), Fault.NOT_JSON, 400, "not_json")


def _not_an_envelope(callback: Callback, timestamp: str, choose: Random) -> Outgoing:
    bodies = (b"[]", b"{}", b'"x"', b'{"imbTrackingCode":"00040123456200800001"}')
    request = replace(proper(callback, timestamp), body=choose.choice(bodies))
    return _refused(request, Fault.NOT_AN_ENVELOPE, 400, "not_an_envelope")


def _unreadable_payload(callback: Callback, timestamp: str, choose: Random) -> Outgoing:
    cut = choose.randrange(1, len(callback.payload) // 2)
    request = _signed(callback, timestamp, callback.payload[:cut], Fault.UNREADABLE_PAYLOAD)
    return replace(request, becomes=Becomes.QUARANTINED, event_ids=())


def _mid_contradiction(callback: Callback, timestamp: str, _: Random) -> Outgoing:
    payload = orjson.loads(callback.payload) | {"mailerID": _FOREIGN_MID}
    text = orjson.dumps(payload).decode()
    request = _signed(callback, timestamp, text, Fault.MID_CONTRADICTION)
    return replace(request, becomes=Becomes.QUARANTINED, event_ids=())


def _escaped_twice(callback: Callback, timestamp: str, _: Random) -> Outgoing:
    text = orjson.dumps(callback.payload)[_ESCAPED_TWICE_BODY].decode()
    return _signed(callback, timestamp, text, Fault.ESCAPED_TWICE)


Maker = Callable[[Callback, str, Random], Outgoing]
# Repeats and disorder are no matter of one request: the stream makes them.
_MAKERS: Final[Mapping[Fault, Maker]] = {
    Fault.BAD_SIGNATURE: _bad_signature,
    Fault.MISSING_SIGNATURE: _missing_signature,
    Fault.UNKNOWN_SUBSCRIPTION: _unknown_subscription,
    Fault.NOT_JSON: _not_json,
    Fault.NOT_AN_ENVELOPE: _not_an_envelope,
    Fault.UNREADABLE_PAYLOAD: _unreadable_payload,
    Fault.MID_CONTRADICTION: _mid_contradiction,
    Fault.ESCAPED_TWICE: _escaped_twice,
}
MADE_OF_ONE_CALLBACK: Final = tuple(_MAKERS)
