"""Time zones of US ZIPs (zip_zones.csv), to put events in order that state no UTC instant."""

import csv
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

# About the middle of the country: at most four hours wrong between Maine and Hawaii.
UNKNOWN_PLACE_ZONE: Final = timezone(timedelta(hours=-6))
_ZIP_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class ZipRanges:
    """Ranges without overlap, in ascending order; three lists of equal length."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    zone: tuple[ZoneInfo, ...]


def zone_of_zip(zip5: str) -> ZoneInfo | None:
    """The time zone of a five-digit ZIP; None if unknown, no place (military) or no ZIP."""
    if not (len(zip5) == _ZIP_DIGITS and zip5.isascii() and zip5.isdigit()):
        return None
    ranges = zip_ranges()
    at = bisect_right(ranges.first, zip5) - 1
    return ranges.zone[at] if at >= 0 and zip5 <= ranges.last[at] else None


def local_instant(local: datetime, zip5: str | None) -> datetime:
    """The UTC instant by which an event without one is put in order. Never published.

    It is a guess: USPS does not state the zone, and for an unknown ZIP UTC-6 stands in. An
    hour that occurs twice counts as its first; a skipped one is shifted forward. `local` is
    naive; its `fold` is not read.
    """
    zone: tzinfo | None = zone_of_zip(zip5) if zip5 else None
    try:
        return local.replace(tzinfo=zone or UNKNOWN_PLACE_ZONE, fold=0).astimezone(UTC)
    except OverflowError:
        # Within a day of year 1 or 9999: hours do not matter there, an answer does.
        return local.replace(tzinfo=UTC, fold=0)


@cache
def zip_ranges() -> ZipRanges:
    """The table, read at first use."""
    text = files("schemas.usps").joinpath("zip_zones.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    rows: list[Mapping[str, str]] = list(csv.DictReader(lines))
    return ZipRanges(
        tuple(row["first_zip"] for row in rows),
        tuple(row["last_zip"] for row in rows),
        tuple(ZoneInfo(row["time_zone"]) for row in rows),
    )
