"""Settings are read whole, and every problem is told at once, by name and without values."""

import pytest

from schemas.errors import SettingsRefused
from schemas.settings import Settings, describe


def test_defaults_are_those_of_the_contract() -> None:
    """An empty environment gives the documented defaults."""
    settings = Settings.from_environ({})
    assert settings.kafka_bootstrap_servers == "127.0.0.1:9092"
    assert settings.topic_prefix == "usps."
    assert (settings.receiver_host, settings.receiver_port) == ("127.0.0.1", 8080)
    assert settings.max_body_bytes == 1_048_576
    assert settings.sink_retry_seconds == (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)


def test_other_variables_are_not_ours() -> None:
    """Only names with the prefix are read."""
    assert Settings.from_environ({"PATH": "/bin", "RECEIVER_PORT": "x"}) == Settings()


def test_all_problems_are_reported_together() -> None:
    """Unknown names, wrong types and values out of range come in one refusal, a line each."""
    with pytest.raises(SettingsRefused) as refused:
        Settings.from_environ(
            {
                "SCANWIRE_RECEIVER_PORT": "eighty",
                "SCANWIRE_RECIEVER_HOST": "0.0.0.0",
                "SCANWIRE_BODY_TIMEOUT_SECONDS": "-1",
                "SCANWIRE_SINK_RETRY_SECONDS": "1,two",
            }
        )
    lines = refused.value.detail.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "SCANWIRE_RECEIVER_PORT",
        "SCANWIRE_BODY_TIMEOUT_SECONDS",
        "SCANWIRE_SINK_RETRY_SECONDS",
        "SCANWIRE_RECIEVER_HOST",
    ]
    assert "no such setting" in lines[-1]


def test_a_password_by_value_is_refused_and_not_repeated() -> None:
    """The SASL password is a reference; a pasted one never comes back in the refusal."""
    with pytest.raises(SettingsRefused) as refused:
        Settings.from_environ(
            {
                "SCANWIRE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "SCANWIRE_KAFKA_SASL_MECHANISM": "PLAIN",
                "SCANWIRE_KAFKA_SASL_USERNAME": "scanwire",
                "SCANWIRE_KAFKA_SASL_PASSWORD": "hunter2-hunter2",
            }
        )
    assert "hunter2" not in refused.value.detail
    assert "env:NAME or file:PATH" in refused.value.detail


def test_a_sign_in_is_complete_or_refused() -> None:
    """SASL without a user says which settings are missing."""
    with pytest.raises(SettingsRefused, match="SCANWIRE_KAFKA_SASL_USERNAME"):
        Settings.from_environ({"SCANWIRE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"})


@pytest.mark.parametrize("addresses", ["", "host:abc", "a:1,,b:2", ":"])
def test_malformed_addresses_are_refused(addresses: str) -> None:
    """What no client could connect to is refused before anything connects."""
    with pytest.raises(SettingsRefused, match="SCANWIRE_KAFKA_BOOTSTRAP_SERVERS: write host:port"):
        Settings.from_environ({"SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": addresses})


def test_retry_delays_are_a_list() -> None:
    """Delays are comma-separated seconds."""
    settings = Settings.from_environ({"SCANWIRE_SINK_RETRY_SECONDS": "0.1, 2"})
    assert settings.sink_retry_seconds == (0.1, 2.0)


def test_every_setting_is_described() -> None:
    """`--help` and `check` can tell what each setting is for."""
    rows = describe()
    assert all(meaning for _, _, meaning in rows)
    assert (
        "SCANWIRE_TOPIC_PREFIX",
        "usps.",
        "Before every topic's and consumer group's name.",
    ) in (rows)


@pytest.mark.parametrize("count", ["0", "65", "two"])
def test_workers_are_bounded(count: str) -> None:
    """From 1 to 64 receiver processes; the refusal names the setting."""
    assert Settings.from_environ({"SCANWIRE_RECEIVER_WORKERS": "64"}).receiver_workers == 64
    with pytest.raises(SettingsRefused, match="SCANWIRE_RECEIVER_WORKERS"):
        Settings.from_environ({"SCANWIRE_RECEIVER_WORKERS": count})
