"""Which ports are free, and who has those that are not."""

import random
import socket
from typing import Final

import psutil

from deploy.broker.errors import BrokerError
from deploy.broker.properties import HOST

# Below the range from which systems take the ports of outgoing connections (Linux 32768, macOS
# 49152): a client that keeps knocking at a stopped broker's port must not come to own it.
_FREE_PORTS: Final = range(20_000, 32_000)


def free_port(choose: random.Random) -> int:
    """A port that nobody has at this moment."""
    while True:
        port = choose.choice(_FREE_PORTS)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do; else the remains of closed connections would count as an owner.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def ensure_free(port: int) -> None:
    """Raises BrokerError, with the name of the port's owner as far as it can be known."""
    if not is_free(port):
        raise BrokerError(
            f"Port {port} is in use by {owner_of(port)}. Stop that, or choose another port "
            "(python -m deploy.broker start --port N)."
        )


def owner_of(port: int) -> str:
    """Whose a port is that somebody listens on, as far as it can be known."""
    try:
        for connection in psutil.net_connections("tcp"):
            mine = connection.laddr and connection.laddr.port == port
            if mine and connection.status == psutil.CONN_LISTEN and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f"process {connection.pid} ({name})"
    except psutil.Error:
        pass
    return "another process"
