"""Where simulated scans happen: towns with their time zone, and the plants that sort for them.

Towns and ZIPs exist; that a plant of this name sorts for a town is plausible, not looked up.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

_PLANT: Final = "DISTRIBUTION CENTER"
_EAST: Final = "America/New_York"
_CENTRAL: Final = "America/Chicago"
_MOUNTAIN: Final = "America/Denver"
_WEST: Final = "America/Los_Angeles"


@dataclass(frozen=True, slots=True)
class Place:
    """A town's post office, or a plant; `zone_name` is the IANA name of its time zone."""

    city: str
    state: str
    zip: str
    zone_name: str

    @property
    def is_plant(self) -> bool:
        """Whether pieces are sorted here and not delivered."""
        return self.city.endswith(_PLANT)

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone (cached by zoneinfo)."""
        return ZoneInfo(self.zone_name)


# Town, its state and ZIP, the ZIP of its plant, the zone of both.
_ROWS: Final = (
    ("PORTLAND", "ME", "04101", "04103", _EAST),
    ("BURLINGTON", "VT", "05401", "05452", _EAST),
    ("SPRINGFIELD", "MA", "01103", "01152", _EAST),
    ("ITHACA", "NY", "14850", "13220", _EAST),
    ("PITTSBURGH", "PA", "15212", "15290", _EAST),
    ("RICHMOND", "VA", "23220", "23150", _EAST),
    ("ASHEVILLE", "NC", "28801", "28810", _EAST),
    ("SAVANNAH", "GA", "31401", "31407", _EAST),
    ("GAINESVILLE", "FL", "32601", "32099", _EAST),
    ("COLUMBUS", "OH", "43215", "43218", _EAST),
    ("MADISON", "WI", "53703", "53714", _CENTRAL),
    ("DULUTH", "MN", "55802", "55806", _CENTRAL),
    ("PEORIA", "IL", "61602", "61601", _CENTRAL),
    ("DES MOINES", "IA", "50309", "50318", _CENTRAL),
    ("OMAHA", "NE", "68102", "68108", _CENTRAL),
    ("TULSA", "OK", "74103", "74141", _CENTRAL),
    ("AUSTIN", "TX", "78701", "78710", _CENTRAL),
    ("MOBILE", "AL", "36602", "36619", _CENTRAL),
    ("BOULDER", "CO", "80302", "80266", _MOUNTAIN),
    ("SANTA FE", "NM", "87501", "87101", _MOUNTAIN),
    ("MISSOULA", "MT", "59801", "59808", _MOUNTAIN),
    ("PROVO", "UT", "84601", "84199", _MOUNTAIN),
    ("TUCSON", "AZ", "85701", "85726", "America/Phoenix"),
    ("EUGENE", "OR", "97401", "97402", _WEST),
    ("SPOKANE", "WA", "99201", "99224", _WEST),
    ("RENO", "NV", "89501", "89510", _WEST),
    ("OAKLAND", "CA", "94607", "94615", _WEST),
    ("FRESNO", "CA", "93721", "93706", _WEST),
    ("HONOLULU", "HI", "96813", "96820", "Pacific/Honolulu"),
    ("ANCHORAGE", "AK", "99501", "99530", "America/Anchorage"),
)


@cache
def towns() -> tuple[Place, ...]:
    """Where pieces are mailed and delivered."""
    return tuple(Place(city, state, zip_, zone) for city, state, zip_, _, zone in _ROWS)


@cache
def plant_of(town: Place) -> Place:
    """The plant that sorts for a town of this table. Raises `KeyError` for another place."""
    plants = {
        (city, state): Place(f"{city} {state} {_PLANT}", state, plant_zip, zone)
        for city, state, _, plant_zip, zone in _ROWS
    }
    return plants[town.city, town.state]
