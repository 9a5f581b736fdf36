"""Addresses and networks of clients, and whom a proxy speaks for."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from schemas.settings import Network

Address = IPv4Address | IPv6Address

FORWARDED_FOR: Final = b"x-forwarded-for"
# A chain of our own proxies is short; longer ones are somebody's invention.
MAX_HOPS: Final = 16
_IPV4_PORT_COLONS: Final = 1


class Networks:
    """A set of networks. An address in no known form is in none."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)

    def __bool__(self) -> bool:
        """False: no network at all."""
        return bool(self._networks)

    def contain(self, text: str) -> bool:
        """Whether an address, as text, is in one of them."""
        address = read_address(text)
        return address is not None and any(address in network for network in self._networks)


def read_address(text: str) -> Address | None:
    """An address; IPv4 in IPv6's clothes is IPv4. None: it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def forwarded_address(headers: Sequence[tuple[bytes, bytes]], peer: str, proxies: Networks) -> str:
    """Who spoke to the outermost of our proxies: the rightmost hop that is not one of them.

    `peer`, a trusted proxy, is the answer where none of them tells a hop that can be read.
    What stands left of that is the client's own word and never believed.
    """
    values = [value for name, value in headers if name == FORWARDED_FOR]
    hops = b",".join(values).rsplit(b",", MAX_HOPS)[-MAX_HOPS:] if values else []
    believed = peer
    for hop in reversed(hops):
        address = read_address(_without_port(hop.decode("latin-1").strip()))
        if address is None:
            break
        believed = str(address)
        if not proxies.contain(believed):
            break
    return believed


def _without_port(hop: str) -> str:
    """Some proxies write `192.0.2.1:5000` or `[2001:db8::1]:5000`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == _IPV4_PORT_COLONS else hop
