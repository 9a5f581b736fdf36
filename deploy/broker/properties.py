"""The server.properties of one Kafka node that is broker and controller."""

from collections.abc import Mapping
from typing import Final

HOST: Final = "127.0.0.1"

# Relative, because the broker runs in the directory of its data: no path needs escaping.
LOG_DIRECTORY: Final = "log"

_MIB: Final = 1024 * 1024

_FIXED: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    # CLIENT is a name, not a protocol: a test that wants SASL maps it to SASL_PLAINTEXT.
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENT",
    # One node: every internal topic has one replica, and few partitions so that it starts fast.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "2",
    "min.insync.replicas": "1",
    "auto.create.topics.enable": "false",  # a mistyped topic is an error, not a new topic
    "group.initial.rebalance.delay.ms": "0",
    # Topics of 8 MiB, and a margin for the batch around a record.
    "message.max.bytes": str(9 * _MIB),
    "replica.fetch.max.bytes": str(9 * _MIB),
    "socket.request.max.bytes": str(64 * _MIB),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    # The default of 128 MiB is a quarter of the heap; 16 MiB sees 600,000 keys at a time.
    "log.cleaner.dedupe.buffer.size": str(16 * _MIB),
    # The controller is the same process: who is silent for half a minute was frozen, not dead.
    # A node called dead for a moment loses commit markers of its transactions (storage.py).
    "broker.session.timeout.ms": "30000",
    # For the same reason: a lone node has nobody to hand its partitions to, and while it ends in
    # order would find them without a leader. It calls itself dead at the next start instead.
    "controlled.shutdown.enable": "false",
}


def server_properties(
    port: int, controller_port: int, log_directory: str, more: Mapping[str, str]
) -> str:
    """The text of the file; what is in `more` wins over what is decided here."""
    listeners = f"CLIENT://{HOST}:{port}"
    properties = {
        **_FIXED,
        **_of_controller(controller_port, log_directory),
        "listeners": f"{listeners},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": listeners,
        **more,
    }
    return _text(properties)


def controller_properties(controller_port: int, log_directory: str, session_ms: int) -> str:
    """The text for the same node as a controller alone, which soon calls its broker dead."""
    properties = {
        "process.roles": "controller",
        "node.id": _FIXED["node.id"],
        "controller.listener.names": "CONTROLLER",
        **_of_controller(controller_port, log_directory),
        "listeners": f"CONTROLLER://{HOST}:{controller_port}",
        "broker.session.timeout.ms": str(session_ms),
        "broker.heartbeat.interval.ms": str(session_ms // 2),
    }
    return _text(properties)


def _of_controller(controller_port: int, log_directory: str) -> dict[str, str]:
    return {
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller_port}",
        "log.dirs": log_directory,
    }


def _text(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())


def _escaped(value: str) -> str:
    r"""As java.util.Properties reads it from bytes: \uXXXX for what is not plain ASCII."""
    units = value.encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    return "".join(chr(code) if _is_plain(chr(code)) else f"\\u{code:04x}" for code in codes)


def _is_plain(character: str) -> bool:
    return character.isascii() and character.isprintable() and character not in " \\"
