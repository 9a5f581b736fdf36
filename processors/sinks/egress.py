"""Where a merchant's URL may lead: checked at connect, on the address itself, never by name.

Refuses what is not globally routable: private, loopback, link-local (cloud metadata), CGNAT,
multicast, reserved and documentation addresses, also inside IPv6's transition forms.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")


class AddressRefused(OSError):
    """The address is not one of the public internet. Never tells which it is."""


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
        tunnels = (*_NAT64, _SIX_TO_FOUR, _TEREDO)
        if any(address in network for network in tunnels):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
