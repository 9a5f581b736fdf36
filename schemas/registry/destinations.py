"""Where a merchant's events go: one declared shape per kind of sink (contract, section 1)."""

from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, RootModel, StringConstraints, TypeAdapter, model_validator

from schemas.event import EventCategory
from schemas.registry.entities import Entity, Identifier, SecretReference, Text

PositiveInt = Annotated[int, Field(strict=True, ge=1)]
PositiveNumber = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class DestinationBase(Entity):
    """What every destination has."""

    entity_kind: ClassVar[str] = "destination"
    id: Identifier
    merchant: Identifier
    categories: Annotated[list[EventCategory], Field(min_length=1)] | None = None
    start: Literal["latest", "earliest"] = "latest"
    enabled: Annotated[bool, Field(strict=True)] = True


class HttpDestination(DestinationBase):
    """A merchant's endpoint, called as Standard Webhooks says."""

    kind: Literal["http"]
    url: Annotated[str, StringConstraints(strict=True, min_length=8, max_length=2000)]
    signing_secrets: Annotated[list[SecretReference], Field(min_length=1, max_length=5)]
    headers: dict[str, SecretReference] = Field(default_factory=dict)
    rate_limit_per_second: PositiveNumber | None = None
    max_in_flight: PositiveInt = 64
    timeout_seconds: Annotated[float, Field(strict=True, gt=0, le=120)] = 15.0
    allow_private_addresses: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _encrypted_unless_private(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url must be https://host/…")
        if parts.username or parts.password:
            raise ValueError("url must not hold a user or a password; use headers by reference")
        if parts.scheme == "http" and not self.allow_private_addresses:
            raise ValueError("plain http:// needs allow_private_addresses: true; use https://")
        return self


class KafkaSecurity(Entity):
    """How to speak to another cluster."""

    entity_kind: ClassVar[str] = "kafka_security"
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: Text | None = None
    password: SecretReference | None = None
    cafile: Text | None = None


class KafkaDestination(DestinationBase):
    """A topic, here or on another cluster."""

    kind: Literal["kafka"]
    bootstrap_servers: Text
    topic: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._-]{1,249}$")]
    security: KafkaSecurity = Field(default_factory=KafkaSecurity)


class PostgresDestination(DestinationBase):
    """Tables in PostgreSQL."""

    kind: Literal["postgres"]
    dsn: SecretReference
    schema_: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = Field(
        default="public", alias="schema"
    )


class ObjectStoreDestination(DestinationBase):
    """Files in a folder or a bucket."""

    kind: Literal["object_store"]
    url: Annotated[str, StringConstraints(pattern=r"^(file:///|s3://|gs://|az://).+")]
    format: Literal["parquet", "jsonl"] = "parquet"
    rotate_seconds: PositiveInt = 300
    rotate_bytes: PositiveInt = 134_217_728


Destination = HttpDestination | KafkaDestination | PostgresDestination | ObjectStoreDestination


class DestinationRecord(RootModel[Annotated[Destination, Field(discriminator="kind")]]):
    """A destination on `usps.registry.v1`."""


_ADAPTER: TypeAdapter[Destination] = TypeAdapter(
    Annotated[Destination, Field(discriminator="kind")]
)


def parse_destination(value: Any) -> Destination:  # noqa: ANN401 -- what a file holds
    """A destination from a file or a record. Raises `pydantic.ValidationError`."""
    return _ADAPTER.validate_python(value)
