"""USPS's texts made fit to be shown: its errors repeat secrets, numbers, paths and addresses."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

MASK: Final = "***"
MAX_CHARACTERS: Final = 200
# No secret, token, id, number, path or e-mail address is a short word of letters only.
_PLAIN_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'-]{0,19}[.,:;!?)]*|\([A-Za-z]{1,20}\)?[.,:;]?")
_SHORT_NUMBER: Final = re.compile(r"\d{1,3}[.,:;)]?")
# A shorter text in a request is an ordinary word, and masking it would only blind the reader.
_MIN_MASKED: Final = 4


def redact(text: str, sent: Iterable[str] = ()) -> str:
    """At most 200 characters of plain words; all else, and whatever was sent, is masked."""
    text = text[: 20 * MAX_CHARACTERS]
    for value in sorted((one for one in sent if len(one) >= _MIN_MASKED), key=len, reverse=True):
        text = text.replace(value, MASK)
    words = [word if _is_plain(word) else MASK for word in text.split()]
    shown = " ".join(
        word for at, word in enumerate(words) if word != MASK or words[at - 1 : at] != [MASK]
    )
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}..."


def texts_in(value: object) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def _is_plain(word: str) -> bool:
    return bool(_PLAIN_WORD.fullmatch(word) or _SHORT_NUMBER.fullmatch(word))
