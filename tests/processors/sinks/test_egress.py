"""Which addresses a merchant's URL may lead to."""

import asyncio

import pytest

from processors.sinks.egress import AddressRefused, Egress, check_public

REFUSED = {
    "loopback": "127.0.0.1 127.8.9.1 ::1 ::ffff:127.0.0.1 ::127.0.0.1",
    "unspecified": "0.0.0.0 0.1.2.3 ::",
    "private": "10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd00::1 ::ffff:10.0.0.1",
    "metadata": "169.254.169.254 169.254.170.2 192.0.0.192 100.100.100.200 fd00:ec2::254",
    "link-local": "169.254.0.1 fe80::1 fe80::1%eth0 ::ffff:169.254.169.254",
    "shared": "100.64.0.1 100.127.255.255",
    "documentation": "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1",
    "benchmarks": "198.18.0.1 198.19.255.255 2001:2::1",
    "multicast": "224.0.0.1 239.255.255.250 ff02::1",
    "reserved": "240.0.0.1 255.255.255.255 100::1 fec0::1 4000::1",
    "translated": "64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1::1 2001:0:1::1 192.88.99.1",
    "malformed": "localhost 127.1 0x7f000001 2130706433 1.2.3.4.5 [::1]",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_addresses_that_are_not_public_are_refused(kind: str) -> None:
    """Whatever form they come in."""
    for address in REFUSED[kind].split():
        with pytest.raises(AddressRefused):
            check_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "52.0.0.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address: str) -> None:
    """The internet's own."""
    check_public(address)


async def test_a_name_that_leads_home_is_refused() -> None:
    """What counts is the address it has when it is connected to."""
    loop = asyncio.get_running_loop()
    egress = Egress("localhost", 9, allow_private_addresses=False)
    with pytest.raises(AddressRefused):
        await egress.connect(loop.time() + 1)


async def test_a_name_without_address_is_an_error() -> None:
    """It is told like any other failure to connect."""
    loop = asyncio.get_running_loop()
    egress = Egress("no-such-name.invalid", 9, allow_private_addresses=False)
    with pytest.raises(OSError):
        await egress.connect(loop.time() + 5)
