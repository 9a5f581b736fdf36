"""Which of a feed's values pass into records: plain ones, of bounded size."""

import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.usps.names import open_name

MAX_TEXT_CHARACTERS: Final = 256
MAX_LISTED_VALUES: Final = 100

_ZIP_DIGITS: Final = 5
_ZIP_PLUS_4: Final = re.compile(r"\d{5}-?\d{4}", re.ASCII).fullmatch
SCALARS: Final = (str, bool, int, float)


def is_plain(value: object) -> bool:
    """Whether it is a text that is short enough, a number or a boolean. An empty text is not."""
    if type(value) is str:
        return 0 < len(value) <= MAX_TEXT_CHARACTERS
    return type(value) in SCALARS


def is_open(value: object) -> bool:
    """Whether a field that no table knows may have this value: plain, or a list of plain ones."""
    if type(value) is list:
        return 0 < len(value) <= MAX_LISTED_VALUES and all(map(is_plain, value))
    return is_plain(value)


def passing_fields(
    fields: Mapping[str, Any], known: Mapping[str, str], most: int
) -> dict[str, Any]:
    """What passes of an object, under our names: known fields, then at most so many others."""
    passed: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in fields.items():
        target = known.get(name)
        if target is None:
            others[name] = value
        elif type(value) in SCALARS:
            passed[target] = value
    if others:
        add_open_fields(passed, others, most)
    return passed


def add_open_fields(passed: dict[str, Any], others: Mapping[str, Any], most: int) -> None:
    """Adds at most so many fields that no table knows; none replaces another."""
    room = len(passed) + most
    for name, value in others.items():
        if len(passed) >= room:
            return
        translated = open_name(name) if is_open(value) else None
        if translated is not None:
            passed.setdefault(translated, value)


def zip_of(text: str) -> str | None:
    """The five digits of a ZIP or ZIP+4; None for another text, such as a postal code abroad."""
    if len(text) == _ZIP_DIGITS:
        return text if text.isdigit() and text.isascii() else None
    found = _ZIP_PLUS_4(text)
    return text[:_ZIP_DIGITS] if found else None
