"""What makes journeys irregular, as real ones are: late, contradictory, repeated, unknown."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Final

from receiver.simulator.places import towns
from receiver.simulator.scans import Oddity, Scan

Rates = Mapping[Oddity, float]

# Shares of all journeys.
USUAL: Final[Rates] = {
    Oddity.LATE_SYNC: 0.05,
    Oddity.OUT_AFTER_DELIVERED: 0.015,
    Oddity.DELIVERED_TWICE: 0.015,
    Oddity.REPEATED_SCAN: 0.03,
    Oddity.UNKNOWN_CODE: 0.02,
    Oddity.DELAYED: 0.05,
    Oddity.MISSENT: 0.02,
    Oddity.REUSED_NUMBER: 0.01,
    Oddity.WRONG_CHECK_DIGIT: 0.005,
    Oddity.ROUTING_PREFIX: 0.05,
}
MANY: Final[Rates] = {oddity: min(0.25, rate * 4) for oddity, rate in USUAL.items()}
NONE: Final[Rates] = {}
PRESETS: Final[Mapping[str, Rates]] = {"none": NONE, "usual": USUAL, "many": MANY}

# In no published table, or without a meaning there.
_UNKNOWN_CODES: Final = (
    ("ZQ", "Sample Facility Event"),
    ("X9", ""),
    ("7Z", "Sample Notice"),
    ("59", "Out"),
    *((code, "Sample Event") for code in ("AE", "DN", "GA", "GS", "H0", "RC", "VR")),
)
_MISROUTED: Final = (("08", "Missent"), ("15", "Mis-Shipped"))
_SCANNED_BY_HAND: Final = frozenset({"01", "02", "03", "07", "30", "53", "55", "OF"})


def drawn(choose: Random, rates: Rates) -> frozenset[Oddity]:
    """Which oddities one journey has."""
    return frozenset(oddity for oddity, rate in rates.items() if choose.random() < rate)


def with_oddities(choose: Random, scans: list[Scan], oddities: frozenset[Oddity]) -> list[Scan]:
    """The scans of one piece with their oddities, in the order in which they become known."""
    for oddity, change in _CHANGES.items():
        if oddity in oddities:
            change(choose, scans)
    return sorted(scans, key=lambda scan: (scan.known_at, scan.at))


def _insert_unknown_code(choose: Random, scans: list[Scan]) -> None:
    before = choose.choice(scans[1:])
    code, text = choose.choice(_UNKNOWN_CODES)
    at = before.at - timedelta(seconds=choose.randrange(1, 60))
    scans.append(replace(before, code=code, text=text, at=at, known_at=at, details={}))


def _scan_missent(choose: Random, scans: list[Scan]) -> None:
    arrival = next(scan for scan in scans if scan.code == "07")
    at = arrival.at - timedelta(minutes=choose.randrange(400, 900))
    if at > scans[0].at:
        wrong = choose.choice(towns())
        code, text = choose.choice(_MISROUTED)
        scans.append(replace(arrival, code=code, text=text, at=at, known_at=at, place=wrong))


def _scan_out_again(choose: Random, scans: list[Scan]) -> None:
    at = scans[-1].at + timedelta(minutes=choose.randrange(3, 200))
    out = next(scan for scan in reversed(scans) if scan.code == "OF")
    scans.append(replace(out, at=at, known_at=at))


def _deliver_again(choose: Random, scans: list[Scan]) -> None:
    at = scans[-1].at + timedelta(minutes=choose.randrange(2, 90))
    delivered = next((scan for scan in reversed(scans) if scan.code == "01"), None)
    if delivered is not None:
        scans.append(replace(delivered, at=at, known_at=at))


def _scan_twice(choose: Random, scans: list[Scan]) -> None:
    """Again within the same minute: only the count among equal ones tells the two apart."""
    scan = choose.choice([scan for scan in scans if scan.place is not None])
    second = (scan.at.second + choose.randrange(1, 30)) % 60
    at = scan.at.replace(second=second)
    scans.append(replace(scan, at=at, known_at=max(at, scan.known_at) + timedelta(minutes=2)))


def _sync_late(choose: Random, scans: list[Scan]) -> None:
    """The device of one scan is read out hours afterwards, when later scans are known."""
    index = choose.choice([i for i, scan in enumerate(scans) if scan.code in _SCANNED_BY_HAND])
    late = scans[index].at + timedelta(hours=choose.randrange(2, 40))
    scans[index] = replace(scans[index], known_at=late)


# In this order: later ones count on the scans that earlier ones added.
_CHANGES: Final = {
    Oddity.MISSENT: _scan_missent,
    Oddity.UNKNOWN_CODE: _insert_unknown_code,
    Oddity.OUT_AFTER_DELIVERED: _scan_out_again,
    Oddity.DELIVERED_TWICE: _deliver_again,
    Oddity.REPEATED_SCAN: _scan_twice,
    Oddity.LATE_SYNC: _sync_late,
}
