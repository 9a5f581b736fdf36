"""Connections to where a merchant's URL leads: checked on the address itself, never by name.

Refuses what is not globally routable: private, loopback, link-local (cloud metadata), CGNAT,
multicast, reserved and documentation addresses, also inside IPv6's transition forms. The
address that is checked is the one that is connected to.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, NamedTuple

# Names are looked up again this often, for the connections that are opened then.
NAME_SECONDS: Final = 10.0
# What Python's `is_global` (3.11) lets pass and the IANA registries do not call reachable.
_REFUSED: Final = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; one cloud's metadata is here
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
# All of IPv6 that is given out as global unicast: no NAT64, no site-local, nothing mapped.
_UNICAST: Final = IPv6Network("2000::/3")


class AddressRefused(OSError):
    """The address is not one of the public internet. Never tells which it is."""


class Address(NamedTuple):
    """One address of a name, as a socket takes it."""

    family: int
    kind: int
    protocol: int
    place: Any  # host and port; for IPv6 two more


class Egress:
    """Opens connections to one host and port."""

    def __init__(self, host: str, port: int, *, allow_private_addresses: bool) -> None:
        self._host = host
        self._port = port
        self._private = allow_private_addresses
        self._addresses: list[Address] = []
        self._looked_up_at = float("-inf")
        self._looking = asyncio.Lock()

    async def connect(self, until: float) -> socket.socket:
        """To the first address that lets us in; each gets its share of the time left.

        `until`: a time of the loop's clock. Raises `OSError`: `AddressRefused`, `TimeoutError`.
        """
        loop = asyncio.get_running_loop()
        addresses = await self._resolve()
        last: OSError = OSError("the name has no address")
        for position, address in enumerate(addresses):
            share = (until - loop.time()) / (len(addresses) - position)
            try:
                async with asyncio.timeout(share):
                    return await self._connect_to(address)
            except OSError as error:
                last = error
        raise last

    async def _resolve(self) -> list[Address]:
        """One look-up for all connections that open together."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_up_at > NAME_SECONDS:
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._addresses = [
                    Address(entry[0], entry[1], entry[2], entry[4]) for entry in found
                ]
                self._looked_up_at = loop.time()
        return self._addresses

    async def _connect_to(self, address: Address) -> socket.socket:
        if not self._private:
            check_public(str(address.place[0]))
        opened = socket.socket(address.family, address.kind, address.protocol)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(opened, address.place)
        except BaseException:
            opened.close()
            raise
        return opened


def check_public(address: str) -> None:
    """Raises `AddressRefused` unless the address is globally routable."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        raise AddressRefused("not an address") from None
    if not _is_public(parsed):
        raise AddressRefused("not a public address")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address not in _UNICAST:
            return False
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
