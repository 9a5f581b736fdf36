"""The subscriptions that were last seen, on disk: a receiver that starts without the broker.

References to secrets are kept, never secrets. What is lost here is read from Kafka again.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from receiver.spool.directory import sync_directory
from schemas.errors import RecordRejected
from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from schemas.registry.observed import ObservedKind, ObservedSubscription

log = structlog.get_logger(__name__)
FILE_NAME: Final = "subscriptions.json"
# What only the management of subscriptions at USPS needs.
_LEFT_OUT: Final = {"listener_url", "admin_emails", "account"}


class _Document(BaseModel):
    """The file. `observed`: by a subscription's name, what USPS gave it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    revision: int
    subscriptions: tuple[Subscription, ...]
    observed: Mapping[str, ObservedSubscription]


class KeptSubscriptions:
    """One file, replaced as a whole."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._written = b""

    def read(self) -> RegistryLog | None:
        """The registry as far as subscriptions go. None if there is none that can be read."""
        try:
            content = self._path.read_bytes()
            registry_log = _to_log(_Document.model_validate_json(content))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, RecordRejected) as error:
            # Pydantic's own text would repeat the file.
            log.error(
                "kept_subscriptions_unreadable", file=str(self._path), error=type(error).__name__
            )
            return None
        self._written = content
        return registry_log

    def write(self, content: bytes) -> None:
        """Replaces the file, if it says anything else. It is whole at every moment."""
        if content == self._written:
            return
        aside = self._path.with_name(f"{FILE_NAME}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_through(aside, content)
            aside.replace(self._path)
            sync_directory(self._path.parent)
        except OSError as error:
            log.error(
                "subscriptions_not_kept", file=str(self._path), error=os.strerror(error.errno or 0)
            )
            return
        self._written = content


def document_of(registry_log: RegistryLog) -> bytes:
    """What is to be kept of it."""
    subscriptions = tuple(
        entity.model_copy(update=dict.fromkeys(_LEFT_OUT))
        for entity in registry_log.registry.all(Subscription.entity_kind)
        if isinstance(entity, Subscription)
    )
    seen = registry_log.observed.subscriptions()
    observed = {one.name: seen[one.name] for one in subscriptions if one.name in seen}
    document = _Document(
        revision=registry_log.registry.revision, subscriptions=subscriptions, observed=observed
    )
    return document.model_dump_json().encode()


def _to_log(document: _Document) -> RegistryLog:
    registry_log = RegistryLog()
    for subscription in document.subscriptions:
        registry_log.registry.put(subscription)
    for name, seen in document.observed.items():
        key = f"{ObservedKind.SUBSCRIPTION.value}/{name}"
        registry_log.apply_observed(key, seen.model_dump_json().encode())
    registry_log.registry.revision = document.revision
    return registry_log


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
