"""Secrets, ports and registry of the demo are prepared before anything starts."""

import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from standardwebhooks.webhooks import Webhook

from deploy.broker.ports import owner_of
from deploy.demo.layout import EXAMPLE_REGISTRY, Layout, Ports
from deploy.demo.ports import taken
from deploy.demo.registry import prepare_registry
from deploy.demo.secrets import ensure_secrets, variables_of
from schemas.settings import Settings

VARIABLES = ("EXAMPLE_ACME_USPS_SECRET", "EXAMPLE_ACME_SIGNING")


def destinations(path: Path) -> dict[str, dict[str, Any]]:
    """By id."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {one["id"]: one for one in document["destinations"]}


def test_secrets_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    """USPS's have 32 characters, those for merchants are Standard Webhooks secrets."""
    file = tmp_path / "demo" / "secrets.json"
    first = ensure_secrets(file, VARIABLES)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first["EXAMPLE_ACME_USPS_SECRET"]) == 32
    assert Webhook(first["EXAMPLE_ACME_SIGNING"])
    assert ensure_secrets(file, VARIABLES) == first


def test_new_variables_get_secrets_beside_the_old_ones(tmp_path: Path) -> None:
    """An example that grew keeps what was made for it before."""
    file = tmp_path / "secrets.json"
    first = ensure_secrets(file, VARIABLES[:1])
    both = ensure_secrets(file, VARIABLES)
    assert both[VARIABLES[0]] == first[VARIABLES[0]]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_variables_are_found_in_the_example() -> None:
    """Every reference of the example registry gets a secret."""
    assert set(VARIABLES) <= set(variables_of(EXAMPLE_REGISTRY.read_text(encoding="utf-8")))


def test_example_that_fits_is_applied_as_it_is(tmp_path: Path) -> None:
    """With the usual ports and broker the file in the repository is used itself."""
    registry = prepare_registry(Layout(tmp_path), Settings.from_environ({}))
    assert registry.path == EXAMPLE_REGISTRY
    assert registry.endpoints["acme-orders"] == "EXAMPLE_ACME_SIGNING"
    assert registry.kafka_topics == {"acme-warehouse": "acme.tracking-events"}


def test_example_is_adapted_to_other_ports_and_clusters(tmp_path: Path) -> None:
    """Merchants' port, the cluster of Kafka destinations and how to sign in there follow."""
    settings = Settings.model_validate(
        {
            "kafka_bootstrap_servers": "kafka.example:9093",
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_sasl_username": "demo",
            "kafka_sasl_password": "env:PASSWORD",
            "topic_prefix": "once-x.",
        }
    )
    layout = Layout(tmp_path, Ports.beginning_at(21_000)).for_once()
    registry = prepare_registry(layout, settings)
    adapted = destinations(registry.path)
    assert adapted["acme-orders"]["url"] == "http://127.0.0.1:21005/acme-orders"
    warehouse = adapted["acme-warehouse"]
    assert warehouse["bootstrap_servers"] == "kafka.example:9093"
    assert warehouse["topic"] == "once-x.acme.tracking-events"
    assert warehouse["security"]["password"] == "env:PASSWORD"


def test_taken_ports_are_named_with_their_owner() -> None:
    """The sentence says which port, what for, whose it is and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        free = replace(Ports.beginning_at(23_456), merchant=port)
        told = [str(one) for one in taken(free, own_kafka=False)]
        assert len(told) == 1
        for part in (str(port), "the simulated merchants", owner_of(port), "--ports-from"):
            assert part in told[0]


@pytest.mark.parametrize("own_kafka", [True, False])
def test_kafkas_ports_matter_only_if_one_is_started(*, own_kafka: bool) -> None:
    """A broker of the user's own may hold them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = replace(Ports.beginning_at(23_456), kafka=server.getsockname()[1])
        told = "".join(map(str, taken(ports, own_kafka=own_kafka)))
        assert ("SCANWIRE_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:" in told) == own_kafka
