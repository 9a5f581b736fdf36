"""The settings of every program: environment only, prefix `SCANWIRE_`, read once, frozen.

All programs share one environment, so all names stand here: an unknown one is a typing
error somewhere and is refused.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from schemas.errors import SettingsRefused
from schemas.topics import TopicNames

PREFIX: Final = "SCANWIRE_"
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Network = IPv4Network | IPv6Network


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _addresses(value: str) -> str:
    """`host:port`, comma-separated; the port may be left out."""
    for address in value.split(","):
        host, _, port = address.strip().rpartition(":")
        if not (host or port) or (host and not (port.isascii() and port.isdigit())):
            raise ValueError("write host:port, several separated by commas")
    return value


def _networks(value: object) -> object:
    """Addresses and networks, comma-separated."""
    if not isinstance(value, str):
        return value
    networks = []
    for number, part in enumerate(value.split(",") if value.strip() else (), start=1):
        try:
            networks.append(ip_network(part.strip()))
        except ValueError:
            raise ValueError(
                "write addresses or networks such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32, "
                f"separated by commas; number {number} is none (a network has no bits set behind "
                "its prefix)"
            ) from None
    return tuple(networks)


Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]


class Settings(BaseModel):
    """One field per setting; the field's description is its meaning for the operator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka_bootstrap_servers: Annotated[str, AfterValidator(_addresses)] = Field(
        "127.0.0.1:9092", description="Kafka's addresses, host:port, comma-separated."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to Kafka."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="With SASL_…: how to sign in."
    )
    kafka_sasl_username: str | None = Field(None, description="With SASL_…: who we are.")
    kafka_sasl_password: str | None = Field(
        None, description="With SASL_…: a reference, env:NAME or file:PATH."
    )
    kafka_ssl_cafile: Path | None = Field(None, description="With …SSL: the cluster's CA.")
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)] = Field(
        "usps.", description="Before every topic's and consumer group's name."
    )
    topic_partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        6, description="Partitions of the piece topics; fixed once they exist."
    )
    topic_replication_factor: Annotated[int, Field(ge=-1)] = Field(
        -1, description="Replicas of each topic; -1: what the cluster has as its default."
    )
    state_directory: Path = Field(
        Path(".scanwire/state"), description="Local state; may be lost, is rebuilt from Kafka."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    log_format: Literal["json", "console"] = Field("json", description="How log lines look.")
    admin_host: str = Field("127.0.0.1", description="Address of health and metrics.")
    admin_port: Port | None = Field(
        None,
        description="Port of health and metrics (9100 receiver, 9101 packages, 9102 router, "
        "9103 sinks).",
    )
    receiver_host: str = Field("127.0.0.1", description="Address of the listener.")
    receiver_port: Port = Field(8080, description="Port of the listener.")
    receiver_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        description="Receiver processes behind the port. MAX_CONNECTIONS…, MAX_ARRIVING_BYTES, "
        "MAX_CALLBACKS_IN_FLIGHT and QUARANTINE_… hold in each of them.",
    )
    spool_directory: Path = Field(
        Path(".scanwire/spool"),
        description="Where callbacks wait while the broker is away, and subscriptions are kept.",
    )
    spool_max_bytes: Count = Field(
        1_073_741_824, description="The most that each worker's spool may hold; then 503."
    )
    header_timeout_seconds: Seconds = Field(10.0, description="For a request's headers.")
    body_timeout_seconds: Seconds = Field(10.0, description="For a request's body.")
    silence_timeout_seconds: Annotated[float, Field(gt=0, le=20)] = Field(
        15.0, description="For the first byte on a new connection."
    )
    idle_timeout_seconds: Seconds = Field(
        75.0, description="For the next request on a kept-alive connection."
    )
    answer_timeout_seconds: Seconds = Field(
        10.0, description="For a client to take the answers that wait for it."
    )
    max_body_bytes: Annotated[int, Field(ge=1024, le=4_194_304)] = Field(
        1_048_576, description="The largest body that is read."
    )
    max_connections: Count = Field(10_000, description="Open connections at the listener.")
    max_connections_per_address: Count = Field(2_000, description="The same, per address.")
    max_arriving_bytes: Annotated[int, Field(ge=65_536)] = Field(
        268_435_456, description="Bytes of requests not yet whole, in all; more get 503."
    )
    receiver_trusted_proxies: Networks = Field(
        (),
        description="Addresses and networks whose X-Forwarded-For is believed, comma-separated.",
    )
    receiver_allowed_networks: Networks = Field(
        (), description="Networks whose clients are served, comma-separated; empty: everybody."
    )
    max_callbacks_in_flight: Count = Field(
        2_000, description="Callbacks that wait for broker or spool at a time; more get 503."
    )
    publish_timeout_seconds: Seconds = Field(
        4.0, description="How long a callback waits for the broker before it goes to the spool."
    )
    timestamp_max_age_seconds: Seconds = Field(
        259_200.0, description="A callback reported longer ago is stale (72 h)."
    )
    timestamp_max_ahead_seconds: Seconds = Field(
        300.0, description="A callback reported further in the future is stale."
    )
    timestamp_refuse_stale: bool = Field(
        False, description="Refuse stale callbacks with 401; otherwise they only count."
    )
    answer_challenges: bool = Field(
        False,
        description="Answer a POST that holds a challenge and no payload with the same challenge.",
    )
    quarantine_per_subscription_per_minute: Count = Field(
        60, description="Refused callbacks kept per subscription and minute; more only count."
    )
    quarantine_per_minute: Count = Field(
        600, description="Refused callbacks kept in all per minute; more only count."
    )
    usps_calls_per_hour: Count = Field(
        60, description="Calls to USPS's APIs per account and hour, of all processes together."
    )
    usps_calls_burst: Count = Field(
        5, description="Of these, how many may go at once; the rest goes evenly over the hour."
    )
    usps_oauth_scope: str | None = Field(
        None, description="Scopes to ask USPS for, with blanks; without: all the app has."
    )
    sink_retry_seconds: Annotated[
        tuple[Seconds, ...], BeforeValidator(_listed), Field(min_length=1, max_length=50)
    ] = Field(
        (1.0, 2.0, 5.0, 15.0, 60.0, 300.0),
        description="Delays between delivery attempts, comma-separated; then dead letter.",
    )

    @model_validator(mode="after")
    def _complete_sign_in(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            missing = [
                f"{PREFIX}{name.upper()}"
                for name in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
                if getattr(self, name) is None
            ]
            if missing:
                raise ValueError(f"{self.kafka_security_protocol} needs {', '.join(missing)}")
        password = self.kafka_sasl_password
        if password is not None and not password.startswith(("env:", "file:")):
            raise ValueError(f"{PREFIX}KAFKA_SASL_PASSWORD must be env:NAME or file:PATH")
        return self

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """The settings. Raises `SettingsRefused` with every problem, a line each."""
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX)
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsRefused("settings_refused", _problems(error)) from None

    @property
    def topics(self) -> TopicNames:
        """The names of all topics and groups."""
        return TopicNames(self.topic_prefix)


def _problems(error: ValidationError) -> str:
    """One line per problem, by the variable's name, never with its value."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = f"{PREFIX}{str(problem['loc'][0]).upper()}: " if problem["loc"] else ""
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = "there is no such setting; `check` lists all of them"
        lines.append(f"{name}{text}")
    return "\n".join(lines)


def describe() -> list[tuple[str, str, str]]:
    """Every setting: variable, default as text, meaning."""
    rows: list[tuple[str, str, str]] = []
    for name, field in Settings.model_fields.items():
        rows.append((f"{PREFIX}{name.upper()}", _as_text(field.default), field.description or ""))
    return rows


def _as_text(default: Any) -> str:  # noqa: ANN401 -- any field's default
    if default is None:
        return ""
    if isinstance(default, tuple):
        return ",".join(f"{value:g}" for value in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
