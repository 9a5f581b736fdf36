"""What a client of the listener may take: time, bytes, places."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from receiver.listening.networks import Networks
from receiver.listening.partings import Parting
from receiver.listening.places import Places, Room
from schemas.settings import Settings

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 128
MAX_TARGET_BYTES: Final = 8 * 1024
# Requests that a client sends on one connection without waiting for answers.
MAX_PIPELINED: Final = 128
# After a refusal what still comes is read away for a while: a client that is still sending
# would otherwise see its connection reset and never the answer.
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one listener, shared by its connections.

    Attributes:
        max_request_bytes: As they come over the wire: chunked, a body may take a little more.
        on_connections: Told 1 when a connection was admitted, and -1 when it is gone.
        on_parting: Told whenever a connection is ended for the client's fault.
    """

    silence_seconds: float
    header_seconds: float
    body_seconds: float
    answer_seconds: float
    idle_seconds: float
    max_body_bytes: int
    max_request_bytes: int
    places: Places
    room: Room
    proxies: Networks
    allowed: Networks
    on_connections: Callable[[int], None]
    on_parting: Callable[[Parting], None]

    def admits(self, address: str) -> bool:
        """Whether clients from there are served."""
        return not self.allowed or self.allowed.contain(address)


def limits_of(
    settings: Settings,
    open_files: int,
    on_connections: Callable[[int], None],
    on_parting: Callable[[Parting], None],
) -> Limits:
    """As the settings say, but no more connections than the process may have files open."""
    return Limits(
        silence_seconds=settings.silence_timeout_seconds,
        header_seconds=settings.header_timeout_seconds,
        body_seconds=settings.body_timeout_seconds,
        answer_seconds=settings.answer_timeout_seconds,
        idle_seconds=settings.idle_timeout_seconds,
        max_body_bytes=settings.max_body_bytes,
        max_request_bytes=MAX_HEADER_BYTES + 2 * settings.max_body_bytes,
        places=Places(
            min(settings.max_connections, open_files), settings.max_connections_per_address
        ),
        room=Room(settings.max_arriving_bytes),
        proxies=Networks(settings.receiver_trusted_proxies),
        allowed=Networks(settings.receiver_allowed_networks),
        on_connections=on_connections,
        on_parting=on_parting,
    )
