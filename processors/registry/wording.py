"""Says in an operator's words what pydantic found wrong with an entry; never repeats a value."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from schemas.registry.destinations import (
    HttpDestination,
    KafkaDestination,
    KafkaSecurity,
    ObjectStoreDestination,
    PostgresDestination,
)
from schemas.registry.entities import (
    Grant,
    IpAgreement,
    Merchant,
    MerchantAccessToken,
    MidOwnership,
    SignatureScheme,
    Subscription,
    UspsAccount,
)

_ENTRIES: Final[Mapping[str, type[BaseModel]]] = {
    "usps_account": UspsAccount,
    "merchant": Merchant,
    "mid": MidOwnership,
    "merchant_access_token": MerchantAccessToken,
    "grant": Grant,
    "subscription": Subscription,
    "http": HttpDestination,
    "kafka": KafkaDestination,
    "postgres": PostgresDestination,
    "object_store": ObjectStoreDestination,
}
_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "ip_agreement": IpAgreement,
    "scheme": SignatureScheme,
    "security": KafkaSecurity,
}
_DATES: Final = frozenset({"from", "until", "terms_accepted_on", "expires_at"})
_IDS: Final = frozenset({"id", "name", "owner", "merchant", "platform", "account"})
_SECRETS: Final = frozenset(
    {"secrets", "signing_secrets", "client_id", "client_secret", "headers", "password", "dsn"}
)
_REFERENCE_TEXT: Final = "a secret is given by reference only; write env:NAME or file:PATH"
_DATE_TEXT: Final = "no ISO date or time; write e.g. 2026-04-01 or 2026-04-01T12:00:00Z"
_ID_TEXT: Final = (
    "no id; write a-z, 0-9 and -, beginning with a letter or digit, at most 49 characters"
)
_WANTED: Final[Mapping[str, str]] = {
    "missing": "is missing; add it",
    "list_type": "a list is wanted; write [one, two]",
    "dict_type": "keys and values are wanted; write them",
    "model_type": "keys and values are wanted; write them",
    "model_attributes_type": "keys and values are wanted; write them",
    "int_type": "a whole number is wanted; write it without quotes",
    "int_from_float": "a whole number is wanted; write it without a point",
    "float_type": "a number is wanted; write it without quotes",
    "float_parsing": "a number is wanted; write it without quotes",
    "bool_type": "true or false is wanted; write it without quotes",
    "bool_parsing": "true or false is wanted; write it without quotes",
    "union_tag_not_found": "kind is missing; write kind: http, kafka, postgres or object_store",
    "union_tag_invalid": "unknown kind; write http, kafka, postgres or object_store",
}
_HEADER_TEXT: Final = "no header's name; write e.g. X-HMAC"
_PATTERNS: Final[Mapping[str, str]] = {
    "scheme.headers": _HEADER_TEXT,
    "url": "no address that is read; write file:///directory, s3://…, gs://… or az://…",
    "topic": "no topic name; write letters, digits, '.', '_' and '-', at most 249 characters",
    "schema": "no schema name; write a-z, 0-9 and _, beginning with a letter",
}


def sentence(kind: str, value: Mapping[str, Any], error: ErrorDetails) -> str:
    """What is wrong with this entry, and after a semicolon what to do."""
    path = path_of(kind, error)
    where = ".".join(map(str, path))
    text = _text(kind, value, path, error)
    if error["type"] == "value_error" and text.startswith((f"{where} ", f"{where}:")):
        where = ""
    text = text if ";" in text else f"{text}; correct it"
    return f"{where}: {text}" if where else text


def path_of(kind: str, error: ErrorDetails) -> tuple[int | str, ...]:
    """Where in the entry; pydantic puts a destination's kind before it."""
    path = error["loc"]
    if kind == "destination":
        path = path[1:]
    return path or _named_first(error)


def _named_first(error: ErrorDetails) -> tuple[str, ...]:
    """A rule on the whole entry begins with the key that breaks it, if it is one key's fault."""
    first = _message(error).partition(" ")[0]
    return (first,) if first in {"until", "base_url", "url"} else ()


def _message(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


def _text(
    kind: str, value: Mapping[str, Any], path: Sequence[int | str], error: ErrorDetails
) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown_key(kind, value, path)
    key = str(next((step for step in reversed(path) if isinstance(step, str)), ""))
    # A destination's headers hold secrets; those of a scheme are names.
    key = "scheme.headers" if tuple(path[:2]) == ("scheme", "headers") else key
    return _wrong_value(key, error)


def _wrong_value(key: str, error: ErrorDetails) -> str:
    match error["type"]:
        case "string_type":
            return _REFERENCE_TEXT if key in _SECRETS else _no_text(error["input"])
        case "enum" | "literal_error":
            return f"unknown; write {error['ctx']['expected'].replace(chr(39), '')}"
        case "string_pattern_mismatch":
            return _ID_TEXT if key in _IDS else _PATTERNS.get(key, "of the wrong form")
        case "value_error":
            ours = key not in _DATES or _message(error).startswith(("until", "say"))
            return _message(error) if ours else _DATE_TEXT
    return _WANTED.get(error["type"]) or _bounds(error)


def _bounds(error: ErrorDetails) -> str:
    """Lengths and sizes; otherwise pydantic's own words, which hold no value."""
    context = error.get("ctx", {})
    match error["type"]:
        case "too_short" | "string_too_short":
            return f"too short; give at least {context['min_length']}"
        case "too_long" | "string_too_long":
            return f"too long; give at most {context['max_length']}"
    return error["msg"].replace("Input should", "should").replace("String should", "should")


def _no_text(given: object) -> str:
    if given is None:
        return "is empty; give it a value"
    if isinstance(given, bool):
        return 'true or false stands where text is wanted; put the word in quotes, e.g. "no"'
    if isinstance(given, int | float):
        return 'a number stands where text is wanted; put it in quotes, e.g. "912345678"'
    return "text is wanted; write it on one line"


def _unknown_key(kind: str, value: Mapping[str, Any], path: Sequence[int | str]) -> str:
    keys = known_keys(kind, value, path[:-1])
    close = get_close_matches(str(path[-1]), keys, 1, 0.6)
    return f"unknown key; {f'did you mean {close[0]}?' if close else _one_of(keys)}"


def _one_of(keys: Sequence[str]) -> str:
    return f"remove it, or write one of: {', '.join(keys)}" if keys else "remove it"


def known_keys(kind: str, value: Mapping[str, Any], path: Sequence[int | str] = ()) -> list[str]:
    """The keys that an entry, or a part of it, may have, as a file writes them."""
    entry = str(value.get("kind")) if kind == "destination" else kind
    model = _PARTS.get(str(path[-1])) if path else _ENTRIES.get(entry)
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]
