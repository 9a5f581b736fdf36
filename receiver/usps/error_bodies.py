"""What an error's body tells, in either of USPS's two shapes; nothing in it is required.

The APIs answer `{apiVersion, error: {code, message, errors: [{status, code, title, detail,
source}]}}` (documents of Tracking and Subscriptions v3r2; in practice any part may be missing,
empty, or of another type). The token endpoint answers RFC 6749's `{error, error_description,
error_uri}`. Anything else is no error of its own: it just tells nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

MAX_INNER_ERRORS: Final = 20
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")


@dataclass(frozen=True, slots=True)
class ToldError:
    """An error body. `codes`: plain ones, the outer first; `text`: all that it says."""

    codes: tuple[str, ...]
    text: str


def read_error(body: bytes) -> ToldError:
    """Whatever the bytes are."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ToldError((), "")
    return read_error_document(document)


def read_error_document(document: object) -> ToldError:
    """Whatever the JSON value is: a whole body, or the failed part of a mixed answer."""
    if not isinstance(document, Mapping):
        return ToldError((), "")
    error = document.get("error")
    if isinstance(error, Mapping):
        return _api_error(error)
    texts = [_text(error), _text(document.get("error_description"))]
    return ToldError(_codes([error]), " ".join(filter(None, texts)))


def _api_error(error: Mapping[str, Any]) -> ToldError:
    inner = list(_inner_errors(error.get("errors")))
    codes = [error.get("code"), *(one.get("code") for one in inner)]
    codes += [one.get("title") for one in inner]
    texts = [error.get("message")]
    for one in inner:
        texts += [one.get("title"), one.get("detail")]
        texts += _source_texts(one.get("source"))
    return ToldError(_codes(codes), " ".join(filter(None, map(_text, texts))))


def _inner_errors(errors: object) -> Iterator[Mapping[str, Any]]:
    for one in errors[:MAX_INNER_ERRORS] if isinstance(errors, list) else ():
        if isinstance(one, Mapping):
            yield one


def _source_texts(source: object) -> list[object]:
    """A quota's refusal names its product there; a bare text stands there sometimes."""
    return list(source.values()) if isinstance(source, Mapping) else [source]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _codes(values: list[Any]) -> tuple[str, ...]:
    """Those that are codes, each once. Numbers are met where the documents say text."""
    found: dict[str, None] = {}
    for value in values:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(text, str) and _CODE.fullmatch(text):
            found[text] = None
    return tuple(found)
