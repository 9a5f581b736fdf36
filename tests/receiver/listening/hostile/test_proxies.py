"""Behind a proxy the remote address is the one it forwards; nobody else is believed."""

import asyncio
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.listening.networks import Networks, forwarded_address, read_address
from schemas.errors import SettingsRefused
from schemas.settings import Settings
from tests.receiver.listening.hostile.client import statuses
from tests.receiver.public_port import CLOSE, Site, raw, site
from tests.receiver.world import callback

PROXIES = Networks([ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")])
PEER = "10.0.0.1"
UNKNOWN = callback(subscription_id="nobody")


def forwarded(*values: bytes) -> str:
    """With so many headers, through a trusted proxy."""
    return forwarded_address([(b"x-forwarded-for", value) for value in values], PEER, PROXIES)


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ([], PEER),
        ([b"192.0.2.7"], "192.0.2.7"),
        ([b"198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ([b"198.51.100.1", b"192.0.2.7"], "192.0.2.7"),
        ([b"192.0.2.7, 10.0.0.2, 10.0.0.3"], "192.0.2.7"),
        ([b"10.0.0.4, 10.0.0.5"], "10.0.0.4"),
        ([b"192.0.2.7:50000"], "192.0.2.7"),
        ([b"[2001:db8:2::1]:50000"], "2001:db8:2::1"),
        ([b"2001:db8:2::1"], "2001:db8:2::1"),
        ([b"192.0.2.7, 2001:db8:1::9"], "192.0.2.7"),
        ([b"::ffff:192.0.2.7"], "192.0.2.7"),
        ([b"192.0.2.7, unknown"], PEER),
        ([b"192.0.2.7, nonsense, 10.0.0.3"], "10.0.0.3"),
        ([b""], PEER),
        ([b"192.0.2.7,"], PEER),
        ([b"198.51.100.1," * 5_000 + b"192.0.2.7"], "192.0.2.7"),
    ],
)
def test_forwarded_address(values: list[bytes], address: str) -> None:
    """The rightmost hop that is no proxy of ours; what is left of it is anybody's word."""
    assert forwarded(*values) == address


@given(st.lists(st.binary(max_size=80) | st.sampled_from([b"10.0.0.2", b"::1", b"[", b"%1"])))
def test_any_forwarded_bytes_give_an_address(values: list[bytes]) -> None:
    """Whatever is forwarded, the result is an address."""
    assert read_address(forwarded(*values)) is not None


@pytest.mark.parametrize("address", ["::ffff:10.0.0.9", "10.255.255.255"])
def test_networks_contain(address: str) -> None:
    """IPv4 in IPv6's clothes is IPv4."""
    assert PROXIES.contain(address)


@pytest.mark.parametrize("address", ["", "11.0.0.1", "proxy", "10.0.0.1/8", "2001:db8:2::1"])
def test_networks_do_not_contain(address: str) -> None:
    """Others, and what is no address, are in none."""
    assert not PROXIES.contain(address)


@pytest.mark.parametrize("networks", ["10.0.0.0/33", "10.0.0.1/8", "proxy", "1.2.3.4,", "a,b"])
def test_malformed_networks_are_refused(networks: str) -> None:
    """A network that is none is told by the variable's name, with how to write one."""
    with pytest.raises(SettingsRefused) as refused:
        Settings.from_environ({"SCANWIRE_RECEIVER_TRUSTED_PROXIES": networks})
    assert refused.value.detail.startswith("SCANWIRE_RECEIVER_TRUSTED_PROXIES: write addresses")


def test_networks_are_a_list() -> None:
    """Addresses and networks of both kinds, comma-separated; empty: none."""
    names = "10.0.0.0/8, 192.0.2.7,2001:db8::/32"
    settings = Settings.from_environ({"SCANWIRE_RECEIVER_ALLOWED_NETWORKS": names})
    assert [str(network) for network in settings.receiver_allowed_networks] == [
        *("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")
    ]
    empty = Settings.from_environ({"SCANWIRE_RECEIVER_ALLOWED_NETWORKS": " "})
    assert empty.receiver_allowed_networks == ()


async def told(place: Site, *more: bytes) -> list[int]:
    """The answer to a callback of an unknown subscription."""
    return statuses(await place.send(raw(*UNKNOWN, CLOSE, *more)))


def remembered(place: Site) -> list[str]:
    """The remote addresses in quarantine."""
    kept = place.world.kafka.values(place.world.quarantine)
    return [record["remote_address"] for record in kept]


async def test_forwarded_address_is_believed_of_a_trusted_proxy() -> None:
    """Quarantine names who spoke to the proxy, on both ways through the server."""
    async with site(receiver_trusted_proxies="127.0.0.0/8") as place:
        forwarding = b"x-forwarded-for: 198.51.100.1, 192.0.2.7"
        assert await told(place, forwarding) == [401]
        assert await told(place, forwarding, b"expect: 100-continue") == [100, 401]
        assert remembered(place) == ["192.0.2.7"] * 2


async def test_forwarded_address_is_not_believed_of_others() -> None:
    """Without trusted proxies anybody may say what he likes."""
    async with site() as place:
        assert await told(place, b"x-forwarded-for: 192.0.2.7") == [401]
        assert await told(place, b"x-forwarded-for: 192.0.2.7", b"expect: 100-continue") == [
            100,
            401,
        ]
        assert remembered(place) == ["127.0.0.1"] * 2


async def test_others_than_allowed_are_closed_at_once() -> None:
    """A client outside of the allowed networks gets not a word."""
    async with site(receiver_allowed_networks="192.0.2.0/24") as place:
        assert await place.send(raw(*callback())) == b""
        assert ended(place, "address_not_allowed") == 1


async def test_others_than_allowed_find_nothing_behind_a_proxy() -> None:
    """Of a trusted proxy the forwarded address is judged, request by request."""
    proxied = {
        "receiver_trusted_proxies": "127.0.0.1",
        "receiver_allowed_networks": "192.0.2.0/24",
    }
    async with site(**proxied) as place:
        assert await told(place, b"x-forwarded-for: 192.0.2.7") == [401]
        assert await told(place, b"x-forwarded-for: 192.0.2.7, 198.51.100.1") == [404]
        assert await told(place) == [404]
        assert ended(place, "address_not_allowed") == 2
        same = raw(*callback(), b"x-forwarded-for: 192.0.2.7")
        other = raw(*callback(), b"x-forwarded-for: 198.51.100.1")
        assert statuses(await place.send(same + other)) == [200, 404]


async def test_proxy_has_no_bound_of_its_own() -> None:
    """The bound per address does not lock out a trusted proxy; the one in all holds."""
    bounds = {"max_connections": "4", "max_connections_per_address": "1"}
    async with site(receiver_trusted_proxies="127.0.0.1", **bounds) as place:
        held = [await place.connect() for _ in range(3)]
        assert await told(place) == [401]
        held.append(await place.connect())
        assert await place.send(raw(*UNKNOWN)) == b""
        assert ended(place, "too_many_connections") == 1
        for _, writer in held:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def ended(place: Site, reason: str) -> float:
    """How many connections the listener ended for it."""
    return place.world.counted("usps_receiver_connections_ended_total", reason=reason)
