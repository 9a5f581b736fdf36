"""The registry of the demo: the example as it is, or adapted to this run's cluster and ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import yaml

from deploy.demo.layout import EXAMPLE_REGISTRY, Layout
from deploy.demo.merchant import DEFAULT_PORT
from deploy.demo.processes import DemoError
from processors.administration import administration
from processors.registry.in_force import InForce, read_in_force
from schemas.kafka import KafkaOptions
from schemas.registry.entities import Merchant
from schemas.settings import Settings

_HEADER: Final = "# Made by make run from deploy/examples/registry.yaml; changes are overwritten.\n"


@dataclass(frozen=True, slots=True)
class DemoRegistry:
    """A registry file, and what the demo itself needs to know of it.

    Attributes:
        endpoints: The simulated merchants' endpoints, with the variable of their secret.
        kafka_topics: Destinations of kind `kafka`, with their topic.
        document: The file, parsed.
    """

    path: Path
    endpoints: dict[str, str]
    kafka_topics: dict[str, str]
    document: dict[str, Any]


def prepare_registry(layout: Layout, settings: Settings) -> DemoRegistry:
    """The example itself if it fits this run as it is, else an adapted copy of it."""
    text = EXAMPLE_REGISTRY.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    for destination in document["destinations"]:
        _adapt(destination, layout, settings)
    path = EXAMPLE_REGISTRY
    if document != yaml.safe_load(text):
        path = layout.registry
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_HEADER + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    destinations = document["destinations"]
    return DemoRegistry(path, _endpoints(destinations), _kafka_topics(destinations), document)


async def refuse_to_replace(registry: DemoRegistry, kafka: KafkaOptions) -> None:
    """Raises `DemoError` if somebody else's registry is in force: applying would end it."""
    async with administration(kafka) as admin:
        in_force = await read_in_force(kafka, admin)
    own = {merchant["id"] for merchant in registry.document["merchants"]}
    others = [one for one in (merchant.id for merchant in _merchants(in_force)) if one not in own]
    if others:
        raise DemoError(
            f"The registry in force under the prefix {kafka.settings.topic_prefix!r} at "
            f"{kafka.settings.kafka_bootstrap_servers} has merchants that are not the demo's "
            f"({', '.join(sorted(others)[:5])}), and the demo would replace it. Give the demo "
            "topics of its own: SCANWIRE_TOPIC_PREFIX=demo. make run"
        )


def _merchants(in_force: InForce) -> list[Merchant]:
    return [one for one in in_force.entities() if isinstance(one, Merchant)]


def _adapt(destination: dict[str, Any], layout: Layout, settings: Settings) -> None:
    if destination["kind"] == "http":
        destination["url"] = _at_port(destination["url"], layout.ports.merchant)
    elif destination["kind"] == "kafka":
        destination["bootstrap_servers"] = settings.kafka_bootstrap_servers
        destination |= _security(settings)
        if layout.once:
            destination["topic"] = settings.topic_prefix + destination["topic"]


def _at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    if parts.port != DEFAULT_PORT:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def _security(settings: Settings) -> dict[str, Any]:
    """How to sign in at another cluster, as a registry file says it."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return {}
    told = {
        "protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "username": settings.kafka_sasl_username,
        "password": settings.kafka_sasl_password,
        "cafile": settings.kafka_ssl_cafile and str(settings.kafka_ssl_cafile),
    }
    return {"security": {name: value for name, value in told.items() if value is not None}}


def _endpoints(destinations: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By the last part of the URL's path, which is what the merchants' server knows them by."""
    return {
        urlsplit(one["url"]).path.strip("/"): one["signing_secrets"][0].removeprefix("env:")
        for one in destinations
        if one["kind"] == "http"
    }


def _kafka_topics(destinations: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {one["id"]: one["topic"] for one in destinations if one["kind"] == "kafka"}
