"""The fields of a subscription's signature scheme, as a registry file may write them."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from schemas.usps.signature import MessageForm

# What a request says in them is never kept, so they cannot carry a signature either.
CREDENTIAL_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


def _header_name(value: str) -> str:
    if value.lower() in CREDENTIAL_HEADERS:
        raise ValueError(
            "this header carries credentials, which are never kept; name the signature's header"
        )
    return value


def _message_form(value: object) -> object:
    """`body` is how `raw-body` was written at first."""
    return MessageForm.RAW_BODY.value if value == "body" else value


# A token of HTTP (RFC 9110, 5.6.2).
HeaderName = Annotated[
    str,
    StringConstraints(strict=True, max_length=100, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
    AfterValidator(_header_name),
]
DeclaredForm = Annotated[MessageForm, BeforeValidator(_message_form)]
