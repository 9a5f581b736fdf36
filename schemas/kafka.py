"""The one place for Kafka client options: aiokafka's defaults are unsafe for us.

(acks=1, not idempotent, auto-commit, a jump over lost ranges, batches of 16 KiB.)
"""

from dataclasses import dataclass
from typing import Any, Final, Self

from aiokafka.helpers import create_ssl_context
from pydantic import SecretStr

from schemas.secrets import Secrets
from schemas.settings import Settings
from schemas.topics import LARGE_RECORD_BYTES

# A batch holds at least one record, so it must hold the largest that a topic takes.
MAX_BATCH_BYTES: Final = LARGE_RECORD_BYTES
MAX_REQUEST_BYTES: Final = LARGE_RECORD_BYTES + 64 * 1024
METADATA_MAX_AGE_MS: Final = 60_000
REQUEST_TIMEOUT_MS: Final = 20_000
TRANSACTION_TIMEOUT_MS: Final = 15_000
# Right after a commit the broker may refuse the next transaction's first batch until the
# markers stand (NOT_ENOUGH_REPLICAS from Kafka 3.6 on); the usual 100 ms would be felt.
TRANSACTION_RETRY_MS: Final = 20
SESSION_TIMEOUT_MS: Final = 15_000


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Keyword arguments for aiokafka's clients, by what the client is for."""

    settings: Settings
    password: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings, secrets: Secrets) -> Self:
        """Resolves the password. Raises `SecretUnavailable`."""
        reference = settings.kafka_sasl_password
        return cls(settings, None if reference is None else secrets.resolve(reference))

    def client(self) -> dict[str, Any]:
        """Where the cluster is and how to sign in: what every client needs."""
        settings = self.settings
        options: dict[str, Any] = {
            "bootstrap_servers": settings.kafka_bootstrap_servers,
            "client_id": "scanwire",
            "security_protocol": settings.kafka_security_protocol,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        }
        if settings.kafka_security_protocol.startswith("SASL") and self.password is not None:
            options |= {
                "sasl_mechanism": settings.kafka_sasl_mechanism,
                "sasl_plain_username": settings.kafka_sasl_username,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        if settings.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = create_ssl_context(cafile=settings.kafka_ssl_cafile)
        return options

    def producer(self) -> dict[str, Any]:
        """An idempotent producer that waits for every in-sync replica."""
        return self.client() | {
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 0,
            "max_batch_size": MAX_BATCH_BYTES,
            "max_request_size": MAX_REQUEST_BYTES,
        }

    def transactional(self, transactional_id: str) -> dict[str, Any]:
        """The same, with transactions; its id fences its predecessor."""
        return self.producer() | {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
            "retry_backoff_ms": TRANSACTION_RETRY_MS,
        }

    def reader(self, group_id: str | None = None) -> dict[str, Any]:
        """A consumer that commits only what it is told to, and never jumps over a lost range."""
        return self.client() | {
            "group_id": group_id,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            "max_partition_fetch_bytes": MAX_REQUEST_BYTES,
            "fetch_max_wait_ms": 250,
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": 3_000,
            "max_poll_interval_ms": 300_000,
        }
