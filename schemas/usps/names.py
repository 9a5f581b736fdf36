"""From USPS's field names to ours (`RREEnabled` -> `rre_enabled`), and which never pass.

Personal data passes by no name: a field that is not in our tables and whose name smells of a
person, an address or a signature stays in the original only. Better one fact too few.
"""

import re
from functools import lru_cache
from typing import Final

MAX_NAME_CHARACTERS: Final = 64

# USPS's documents have about a hundred.
_CACHED_NAMES: Final = 2048

_ACRONYM_END: Final = re.compile(r"([A-Z]+)([A-Z][a-z])")
_WORD_END: Final = re.compile(r"([a-z0-9])([A-Z])")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")

# Looked for anywhere in a name without its separators.
_PERSONAL: Final = (
    *("name", "recipient", "addressee", "consignee", "receiver", "receivedby", "deliveredto"),
    *("leftwith", "person", "customer", "contact", "resident", "occupant", "neighbor", "neighbour"),
    *("agent", "firm", "sign", "address", "street", "apartment", "suite", "postalcode", "plus4"),
    *("phone", "mobile", "email", "latitude", "longitude", "geo", "gps", "coordinate"),
    *("photo", "image"),
)
# Too short to be looked for inside of words.
_PERSONAL_WORDS: Final = frozenset({"lat", "lng", "lon", "fax"})


def open_name(name: str) -> str | None:
    """The snake_case name of a field that is in no table of ours; None if it must not pass."""
    return _open_name(name) if len(name) <= MAX_NAME_CHARACTERS else None


# Names come from outside, so what is cached is bounded in number and length.
@lru_cache(maxsize=_CACHED_NAMES)
def _open_name(name: str) -> str | None:
    if not name.isascii():
        # Letters that only look like ours would slip past the words below.
        return None
    translated = snake_case(name)
    if not 0 < len(translated) <= MAX_NAME_CHARACTERS or is_personal(translated):
        return None
    return translated


def snake_case(name: str) -> str:
    """USPS's name in snake_case: ASCII letters, digits and single underscores; may be empty."""
    spaced = _WORD_END.sub(r"\1_\2", _ACRONYM_END.sub(r"\1_\2", name))
    return _NO_NAME.sub("_", spaced.lower()).strip("_")


def is_personal(name: str) -> bool:
    """Whether a field's name smells of a person, an address or a signature."""
    letters = _NO_NAME.sub("", name.lower())
    if any(part in letters for part in _PERSONAL):
        return True
    return not _PERSONAL_WORDS.isdisjoint(snake_case(name).split("_"))
