"""Destinations that could never work, or would feed themselves."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from processors.registry.entries import Declarations
from processors.registry.places import Findings
from schemas.registry.destinations import HttpDestination, KafkaDestination
from schemas.settings import Settings
from schemas.topics import core_topics

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_BROKER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
# The sink writes these itself; a second one would contradict it.
_OUR_HEADERS: Final = frozenset(
    {
        "host",
        "connection",
        "transfer-encoding",
        "content-length",
        "content-type",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)


def check_destinations(declared: Declarations, settings: Settings, findings: Findings) -> None:
    """All checks of single destinations that the models do not make."""
    for one in declared.of("destination"):
        found: Iterator[tuple[str, str]] = iter(())
        if isinstance(one.entity, HttpDestination):
            found = _http(one.entity)
        elif isinstance(one.entity, KafkaDestination):
            found = _kafka(one.entity, settings)
        for key, text in found:
            findings.problem(one.place.within(key), f"{one}: {text}")


def _http(destination: HttpDestination) -> Iterator[tuple[str, str]]:
    if not destination.url.isascii() or not destination.url.isprintable() or " " in destination.url:
        yield "url", "url has blanks or characters that are not ASCII; percent-encode them"
    parts = urlsplit(destination.url)
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        yield "url", "url has no usable port; write one from 1 to 65535, or none"
    if parts.fragment:
        yield "url", "url has a #fragment, which is never sent; remove it"
    for name in destination.headers:
        if not _HEADER.fullmatch(name):
            yield "headers", "a header's name has characters that HTTP does not allow; correct it"
        elif name.lower() in _OUR_HEADERS:
            yield "headers", f"header {name.lower()} is written by scanwire; remove it"


def _kafka(destination: KafkaDestination, settings: Settings) -> Iterator[tuple[str, str]]:
    servers = [server.strip() for server in destination.bootstrap_servers.split(",")]
    if not all(_BROKER.fullmatch(server) for server in servers):
        yield (
            "bootstrap_servers",
            "bootstrap_servers is no list of host:port, comma-separated; correct it",
        )
    security = destination.security
    wanted = ("sasl_mechanism", "username", "password")
    missing = [name for name in wanted if getattr(security, name) is None]
    if security.protocol.startswith("SASL") and missing:
        yield "security", f"security: {security.protocol} needs {', '.join(missing)}; add them"
    ours = {server.strip() for server in settings.kafka_bootstrap_servers.split(",")}
    if ours & set(servers) and _is_ours(destination.topic, settings):
        yield "topic", "topic is one of scanwire's own: events would go in circles; choose another"


def _is_ours(topic: str, settings: Settings) -> bool:
    names = settings.topics
    merchants = names.merchant("")[: -len(".v1")]
    return topic in {spec.name for spec in core_topics(names)} or topic.startswith(merchants)
