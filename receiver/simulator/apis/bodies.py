"""Request bodies, as strict as `usps.yaml` says."""

from datetime import date
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from receiver.simulator.apis.refusals import OAuthRefusal, bad_request
from receiver.simulator.scans import Shipper
from schemas.registry.entities import EventType

LARGEST_BODY_BYTES: Final = 1024 * 1024
_MOST_NUMBERS: Final = 35
_SECRET_CHARACTERS: Final = 32
_FORM: Final = "application/x-www-form-urlencoded"
_PORT: Final = (
    r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
)
_HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_URL: Final = rf"^https?://{_HOST}(:{_PORT})?(/[A-Za-z0-9._~/-]*)?$"
MID_FORM: Final = r"^([0-9]{6}|[0-9]{9})$"
NUMBER_FORM: Final = r"^[A-Za-z0-9]{4,34}$"
_STRICT: Final = ConfigDict(frozen=True, strict=True, extra="forbid")
_OPEN: Final = ConfigDict(frozen=True, strict=True, extra="allow")
_Model = TypeVar("_Model", bound=BaseModel)


class _Body(BaseModel):
    """A declared field may be absent; null is not the same."""

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, value: object) -> object:
        if isinstance(value, dict):
            for name, field in cls.model_fields.items():
                if value.get(field.alias or name, "") is None:
                    raise ValueError(f"{field.alias or name} must not be null")
        return value


class EmailNotification(_Body):
    """Whom USPS writes to."""

    model_config = _OPEN
    email: Annotated[str, Field(max_length=50, pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$")]


class Filter(_Body):
    """Whose pieces: a MID's or one number's, never both."""

    model_config = _OPEN
    mid: Annotated[str | None, Field(alias="MID", pattern=MID_FORM)] = None
    tracking_number: Annotated[str | None, Field(alias="trackingNumber", pattern=NUMBER_FORM)] = (
        None
    )
    event_types: Annotated[
        list[Literal["ALL_UPDATES", "DELIVERY_ACTIVITY", "PACKAGE_DELAYED", "SCAN_EVENT_EXTRACT"]],
        Field(alias="trackingEventTypes"),
    ] = ["ALL_UPDATES"]

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.mid is None) == (self.tracking_number is None):
            raise ValueError("write MID or trackingNumber")
        if self.mid is None and EventType.SCAN_EVENT_EXTRACT.value in self.event_types:
            raise ValueError("SCAN_EVENT_EXTRACT goes with a MID only")
        return self

    @property
    def shipper(self) -> Shipper:
        """Whose pieces these are."""
        return Shipper(self.mid or "", self.tracking_number)


class NewSubscription(_Body):
    """The body of a creation and of a change."""

    model_config = _OPEN
    listener_url: Annotated[str, Field(alias="listenerURL", max_length=200, pattern=_URL)]
    secret: SecretStr
    status: Literal["ENABLED", "DISABLED"] = "ENABLED"
    admin: Annotated[
        list[EmailNotification], Field(alias="adminNotification", min_length=1, max_length=3)
    ]
    filter: Annotated[Filter, Field(alias="filterProperties")]

    @field_validator("secret", mode="after")
    @classmethod
    def _thirty_two(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) != _SECRET_CHARACTERS:
            raise ValueError("write exactly 32 characters")
        return secret


class TrackingItem(_Body):
    """One number of a lookup."""

    model_config = _STRICT
    number: Annotated[str, Field(alias="trackingNumber", pattern=NUMBER_FORM)]
    mailing_date: Annotated[date | None, Field(alias="mailingDate", strict=False)] = None
    zip_code: Annotated[str | None, Field(alias="destinationZIPCode", pattern=r"^[0-9]{5}$")] = None

    @field_validator("mailing_date", mode="before")
    @classmethod
    def _written_as_a_day(cls, value: object) -> object:
        if not isinstance(value, str) or len(value) != len("2026-01-31"):
            raise ValueError("write YYYY-MM-DD")
        return value


_ITEMS: Final = TypeAdapter(
    Annotated[list[TrackingItem], Field(min_length=1, max_length=_MOST_NUMBERS)]
)


class TokenRequest(_Body):
    """What every grant needs, and what one of them needs."""

    model_config = _STRICT
    grant_type: str
    client_id: str
    client_secret: SecretStr
    scope: str | None = None
    code: str | None = None
    redirect_uri: str | None = None
    refresh_token: str | None = None


class RevokeRequest(_Body):
    """A refresh token to end."""

    model_config = _STRICT
    token: str
    token_type_hint: Literal["access_token", "refresh_token"] = "refresh_token"  # noqa: S105 -- a kind, no token


def read_subscription(body: bytes) -> NewSubscription:
    """Raises `ApiRefusal`: 400, naming the field and never its value."""
    try:
        return NewSubscription.model_validate(orjson.loads(body))
    except (ValueError, RecursionError) as error:
        raise bad_request(*_what_is_wrong(error)) from None


def read_items(body: bytes) -> list[TrackingItem]:
    """The numbers of a lookup, 1 to 35. Raises `ApiRefusal`: 400."""
    try:
        return _ITEMS.validate_python(orjson.loads(body))
    except (ValueError, RecursionError) as error:
        raise bad_request(*_what_is_wrong(error)) from None


def read_oauth(model: type[_Model], body: bytes, content_type: str) -> _Model:
    """A request to OAuth, as JSON or as a form. Raises `OAuthRefusal`: invalid_request."""
    try:
        return model.model_validate(_fields(body, content_type))
    except (ValueError, RecursionError) as error:
        told, _ = _what_is_wrong(error)
        raise OAuthRefusal("invalid_request", told) from None


def _fields(body: bytes, content_type: str) -> Any:  # noqa: ANN401 -- what JSON holds
    if not content_type.lower().startswith(_FORM):
        return orjson.loads(body)
    pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _what_is_wrong(error: Exception) -> tuple[str, str | None]:
    """A sentence and the place; values are left out, for one of them is a secret."""
    if not isinstance(error, ValidationError):
        return "OASValidation: the body cannot be read", None
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"OASValidation: {place or 'body'}: {first['msg']}", place or None
