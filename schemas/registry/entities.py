"""The entities of the registry (contract, section 1), as declared and as its topic has them.

Unknown keys are refused. Secrets are references (`env:NAME`, `file:PATH`), never values.
"""

import re
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from schemas.event import Channel
from schemas.identifiers import is_mid, normalize_tracking_number
from schemas.registry.scheme_fields import DeclaredForm, HeaderName
from schemas.usps.signature import SignatureEncoding


class Role(StrEnum):
    """What a merchant is to USPS (reference of 2026-04: access control changes)."""

    SHIPPER = "shipper"
    PLATFORM = "platform"
    SERVICE_PROVIDER = "service_provider"


class Basis(StrEnum):
    """What a grant rests on."""

    MERCHANT_ACCESS_TOKEN = "merchant_access_token"  # noqa: S105 -- a kind, no secret
    IP_AGREEMENT = "ip_agreement"
    TRACKING_AUTHORIZATION = "tracking_authorization"
    DELEGATION = "delegation"


class TokenState(StrEnum):
    """The life of a Merchant Access Token."""

    ISSUED = "issued"
    ACTIVE = "active"
    REFRESH_DUE = "refresh_due"
    EXPIRED = "expired"
    REVOKED = "revoked"


class EventType(StrEnum):
    """`trackingEventTypes` of the Subscriptions API v3r2."""

    ALL_UPDATES = "ALL_UPDATES"
    DELIVERY_ACTIVITY = "DELIVERY_ACTIVITY"
    PACKAGE_DELAYED = "PACKAGE_DELAYED"
    SCAN_EVENT_EXTRACT = "SCAN_EVENT_EXTRACT"


def _instant(value: object) -> object:
    """A bare date means midnight UTC; a time without zone is refused."""
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        value = datetime.fromisoformat(text)
    elif isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    if not isinstance(value, datetime):
        raise ValueError("write an ISO date or a time with zone, e.g. 2026-04-01")  # noqa: TRY004
    if value.tzinfo is None:
        raise ValueError("say the zone, e.g. 2026-04-01T00:00:00Z")
    return value.astimezone(UTC)


def _mid(value: str) -> str:
    if not is_mid(value):
        raise ValueError("a MID has 6 digits starting 0-8, or 9 digits starting 9")
    return value


def _secret_reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in {"env", "file"} or not name.strip():
        # The value itself may be a secret pasted by mistake: never repeat it.
        raise ValueError("a secret is given by reference only: env:NAME or file:PATH")
    return value


def _file_reference(value: str) -> str:
    if not value.startswith("file:"):
        raise ValueError("a refresh token is rewritten by us: give it as file:PATH")
    return value


def _tracking_number(value: str) -> str:
    return normalize_tracking_number(value).value


Identifier = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9-]{0,48}$")]
# Names that only we use; ids that USPS gives are any text.
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)]
MidText = Annotated[str, Field(strict=True), AfterValidator(_mid)]
SecretReference = Annotated[str, Field(strict=True), AfterValidator(_secret_reference)]
# USPS may give a new one at each refresh, so it stands where it can be written again.
RefreshTokenFile = Annotated[SecretReference, AfterValidator(_file_reference)]
TrackingNumberKey = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=64),
    AfterValidator(_tracking_number),
]
When = Annotated[datetime, BeforeValidator(_instant)]


class Entity(BaseModel):
    """One entry of the registry: `entity_kind` names its section, `entity_id` itself there."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    entity_kind: ClassVar[str]

    @property
    def entity_id(self) -> str:
        """The id by which a later registry file means the same entity."""
        return str(getattr(self, "id"))  # noqa: B009 -- subclasses have it

    @property
    def key(self) -> str:
        """The record key on `usps.registry.v1`."""
        return f"{self.entity_kind}/{self.entity_id}"

    def record(self) -> dict[str, Any]:
        """The JSON value on `usps.registry.v1`: the entity as a registry file states it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Period(BaseModel):
    """`from` inclusive, `until` exclusive; either may be absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    from_: When | None = Field(default=None, alias="from")
    until: When | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_ is not None and self.until is not None and self.until <= self.from_:
            raise ValueError("until must be after from (it is exclusive)")
        return self


class UspsAccount(Entity):
    """An application at USPS: where to ask, and the references to its credentials."""

    entity_kind: ClassVar[str] = "usps_account"
    id: Identifier
    environment: Literal["production", "tem", "simulator"]
    client_id: SecretReference
    client_secret: SecretReference
    base_url: Text | None = None

    @model_validator(mode="after")
    def _base_url_only_for_the_simulator(self) -> Self:
        if (self.base_url is not None) != (self.environment == "simulator"):
            raise ValueError("base_url goes with environment: simulator, and only with it")
        return self


class IpAgreement(Period):
    """A signed intellectual-property agreement with USPS."""

    reference: Text


class Merchant(Entity):
    """Whoever may receive a MID's events."""

    entity_kind: ClassVar[str] = "merchant"
    id: Identifier
    name: Text
    role: Role
    terms_accepted_on: When | None = None
    partitions: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    ip_agreement: IpAgreement | None = None
    eps_account: Text | None = None


class MidOwnership(Entity, Period):
    """A MID and who owns it, in a period; a MID that changes owner has two rows."""

    entity_kind: ClassVar[str] = "mid"
    mid: MidText
    owner: Identifier
    crid: Text | None = None

    @property
    def entity_id(self) -> str:
        """The MID and the start of its period: a MID may have several rows."""
        return self.mid if self.from_ is None else f"{self.mid}@{self.from_:%Y-%m-%dT%H:%M:%SZ}"


class MerchantAccessToken(Entity):
    """A shipper lets a platform act for it."""

    entity_kind: ClassVar[str] = "merchant_access_token"
    id: Identifier
    merchant: Identifier
    platform: Identifier
    state: TokenState
    expires_at: When | None = None
    account: Identifier | None = None
    refresh_token: RefreshTokenFile | None = None


class Grant(Entity, Period):
    """An authorization that is not ownership: of a MID, or of one tracking number."""

    entity_kind: ClassVar[str] = "grant"
    id: Identifier
    merchant: Identifier
    mid: MidText | None = None
    tracking_number: TrackingNumberKey | None = None
    channels: Annotated[list[Channel], Field(min_length=1)]
    basis: Basis
    reference: Text | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.mid is None) == (self.tracking_number is None):
            raise ValueError("a grant names either a mid or a tracking_number")
        return self


class SignatureScheme(BaseModel):
    """How USPS signs for one subscription; the default is what its OpenAPI document says.

    Attributes:
        headers: Names, the preferred one first; signatures in them that differ are refused.
        legacy: Bodies of v3.0 without an envelope are read too; the whole body is signed then,
            and must say `subscriptionId`.
        commissioning: Tells of each mismatch which scheme and secret would have matched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    headers: Annotated[list[HeaderName], Field(min_length=1, max_length=4)] | None = None
    message: DeclaredForm | None = None
    encoding: SignatureEncoding | None = None
    legacy: bool = False
    commissioning: bool = False

    @model_validator(mode="after")
    def _each_header_once(self) -> Self:
        names = [name.lower() for name in self.headers or ()]
        if len(set(names)) < len(names):
            raise ValueError("headers: a name stands there twice; keep one, case does not matter")
        return self


class Subscription(Entity):
    """What USPS calls us for; known by `name`, since USPS gives the id later."""

    entity_kind: ClassVar[str] = "subscription"
    id: Text | None = None
    name: Identifier
    account: Identifier | None = None
    mid: MidText | None = None
    tracking_number: TrackingNumberKey | None = None
    event_types: Annotated[list[EventType], Field(min_length=1)] = Field(
        default_factory=lambda: [EventType.ALL_UPDATES]
    )
    listener_url: Annotated[str, StringConstraints(strict=True, max_length=200)] | None = None
    admin_emails: (
        Annotated[list[Annotated[str, StringConstraints(max_length=50)]], Field(max_length=3)]
        | None
    ) = None
    scheme: SignatureScheme = Field(default_factory=SignatureScheme)
    secrets: Annotated[list[SecretReference], Field(min_length=1)]

    @property
    def entity_id(self) -> str:
        """Its name: the id may not exist yet."""
        return self.name

    @model_validator(mode="after")
    def _one_filter(self) -> Self:
        if (self.mid is None) == (self.tracking_number is None):
            raise ValueError("a subscription is for either a mid or a tracking_number")
        return self
