"""Asks a broker the way a client would, and hears from its log why it is not there."""

import asyncio
import shutil
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.broker.process import OUTPUT_FILE
from deploy.broker.properties import HOST

_CONNECT_SECONDS: Final = 1.0
_ANSWER_MILLISECONDS: Final = 5_000
_TAIL_BYTES: Final = 64 * 1024
_LINES_SHOWN: Final = 6

_DISK_FULL: Final = "No space left on device"
_SPACE_WANTED_BYTES: Final = 32 * 1024 * 1024

_KNOWN_CAUSES: Final[Mapping[str, str]] = {
    "Address already in use": "One of its ports was taken meanwhile. Try again.",
    _DISK_FULL: "The disk is full. Free some space (a broker wants 1 GB).",
    "Could not reserve enough space": "The machine lacks memory; the broker wants 512 MB.",
    "Cannot allocate memory": "The machine lacks memory; the broker wants 512 MB.",
    "Permission denied": "Its directory may not be written to. Change the owner, or the directory.",
    "is using this directory": (
        "Another Kafka uses this directory. Stop it, or choose another with --data."
    ),
}


def answers(port: int, client_options: Mapping[str, Any]) -> bool:
    """Whether a broker on this port answers a client and counts itself as alive.

    May be called with an event loop running in this thread (which it then blocks).
    """
    # aiokafka writes an error to the log for each refused connection: knock first.
    try:
        socket.create_connection((HOST, port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _describes_itself(port, client_options)).result()


async def _describes_itself(port: int, client_options: Mapping[str, Any]) -> bool:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=f"{HOST}:{port}",
        request_timeout_ms=_ANSWER_MILLISECONDS,
        **client_options,
    )
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        return bool(cluster["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()


def last_words(directory: Path) -> str:
    """Why the broker of this directory ended: a known cause, and its last lines of trouble."""
    lines = [*_tail(directory / OUTPUT_FILE), *_tail(directory / "broker.log")]
    text = "\n".join(lines)
    if shutil.disk_usage(directory).free < _SPACE_WANTED_BYTES:
        text += _DISK_FULL  # it could not even say so
    causes = [advice for sign, advice in _KNOWN_CAUSES.items() if sign in text][:1]
    trouble = [line for line in lines if _speaks_of_trouble(line)] or lines
    shown = [f"  {line.strip()}" for line in trouble[-_LINES_SHOWN:]]
    return "\n".join([*causes, f"Its last lines (all of them in {directory}/broker.log):", *shown])


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def _speaks_of_trouble(line: str) -> bool:
    signs = (" ERROR ", " FATAL ", "Exception", "Error:", "error:")
    return " INFO " not in line and any(sign in line for sign in signs)
