"""Which resolved addresses may be dialled: every spelling and every address that hides another."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.egress.targets import MAIL_PORTS, METADATA, judge, plain

ALLOWED = {
    "public IPv4": "8.8.8.8",
    "the last of 223": "223.255.255.254",
    "beside CGNAT": "100.128.0.1",
    "beside 172.16/12": "172.32.0.1",
    "public IPv6": "2a00:1450:4001:81b::200e",
    "mapped public": "::ffff:8.8.8.8",
    "NAT64 of a public one": "64:ff9b::8.8.8.8",
    "6to4 of a public one": "2002:808:808::1",
}

REFUSED = {
    "loopback": "127.0.0.1",
    "the end of loopback": "127.255.255.254",
    "10/8": "10.1.2.3",
    "172.16/12": "172.31.255.255",
    "192.168/16": "192.168.0.1",
    "CGNAT": "100.64.0.1",
    "the end of CGNAT": "100.127.255.255",
    "link-local": "169.254.1.1",
    "this network": "0.1.2.3",
    "IETF protocols": "192.0.0.8",
    "documentation": "192.0.2.1",
    "documentation 2": "198.51.100.7",
    "documentation 3": "203.0.113.7",
    "6to4 relays": "192.88.99.1",
    "benchmarks": "198.19.0.1",
    "class E": "240.0.0.1",
    "loopback 6": "::1",
    "link-local 6": "fe80::1",
    "site-local": "fec0::1",
    "unique local": "fd12:3456::1",
    "unique local, centrally assigned": "fc00::1",
    "documentation 6": "2001:db8::1",
    "documentation 6, new": "3fff::1",
    "segment routing": "5f00::1",
    "ORCHID": "2001:20::1",
    "benchmarks 6": "2001:2::1",
    "discard-only": "100::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped private": "::ffff:10.0.0.1",
    "mapped, spelt in hexadecimal": "::ffff:7f00:1",
    "compatible loopback": "::127.0.0.1",
    "compatible private": "::10.0.0.1",
    "compatible public": "::8.8.8.8",
    "translated": "::ffff:0:10.0.0.1",
    "NAT64 loopback": "64:ff9b::7f00:1",
    "NAT64 private": "64:ff9b::10.0.0.1",
    "local NAT64 private": "64:ff9b:1::10.0.0.1",
    "local NAT64 public": "64:ff9b:1::8.8.8.8",
    "local NAT64, address in the middle": "64:ff9b:1:a00:1:0:808:808",
    "6to4 loopback": "2002:7f00:1::",
    "6to4 private": "2002:a00:1::1",
    "Teredo of a private client": "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "Teredo of a private server": "2001:0:a00:1:8000:63bf:3fff:fdd2",
}

NEVER = {
    "AWS, Azure, Google": "169.254.169.254",
    "AWS tasks": "169.254.170.2",
    "AWS pods": "169.254.170.23",
    "AWS over IPv6": "fd00:ec2::254",
    "Google over IPv6": "fd20:ce::254",
    "Alibaba": "100.100.100.200",
    "Azure's wire server": "168.63.129.16",
    "Oracle": "192.0.0.192",
    "mapped": "::ffff:169.254.169.254",
    "compatible": "::169.254.169.254",
    "NAT64": "64:ff9b::169.254.169.254",
    "local NAT64": "64:ff9b:1::169.254.169.254",
    "6to4": "2002:a9fe:a9fe::1",
    "unspecified": "0.0.0.0",
    "unspecified 6": "::",
    "mapped unspecified": "::ffff:0.0.0.0",
    "multicast": "224.0.0.1",
    "multicast, administratively scoped": "239.1.2.3",
    "multicast 6": "ff02::1",
    "mapped multicast": "::ffff:224.0.0.1",
    "6to4 multicast": "2002:e000:1::",
    "broadcast": "255.255.255.255",
}

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize("case", ALLOWED)
def test_a_public_address_is_allowed(case: str) -> None:
    assert judge(ip_address(ALLOWED[case]), 993, allow=()).allowed


@pytest.mark.parametrize("case", REFUSED)
def test_a_private_address_is_refused_until_the_operator_allows_it(case: str) -> None:
    address = ip_address(REFUSED[case])
    refused = judge(address, 993, allow=())
    assert not refused.allowed
    assert "is not a public address" in refused.rule
    assert "policy.allow_private_targets" in refused.hint
    assert judge(address, 993, allow=EVERYTHING).allowed


@pytest.mark.parametrize("case", NEVER)
def test_metadata_and_what_is_no_host_are_refused_even_where_allowed(case: str) -> None:
    verdict = judge(ip_address(NEVER[case]), 443, allow=EVERYTHING)
    assert not verdict.allowed
    assert not verdict.hint


def test_what_is_allowed_is_exactly_what_the_operator_named() -> None:
    allow = (ip_network("10.0.0.0/8"),)
    assert judge(ip_address("10.255.255.255"), 993, allow=allow).allowed
    assert judge(ip_address("64:ff9b::10.0.0.1"), 993, allow=allow).allowed
    assert not judge(ip_address("11.0.0.1"), 53, allow=allow).allowed
    assert not judge(ip_address("192.168.0.1"), 993, allow=allow).allowed
    assert not judge(ip_address("fd00::1"), 993, allow=allow).allowed


def test_an_address_inside_an_allowed_one_needs_leave_of_its_own() -> None:
    server, client = IPv4Address("10.0.0.1"), IPv4Address("192.168.0.1")
    address = IPv6Address((0x20010000 << 96) | (int(server) << 64) | (0x8000 << 48) | (~int(client) & 0xFFFFFFFF))
    teredo, ten, home = ip_network("2001::/32"), ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16")
    assert not judge(address, 993, allow=(teredo, ten)).allowed
    assert judge(address, 993, allow=(teredo, ten, home)).allowed


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("64:ff9b::192.0.2.9", "192.0.2.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("2002:c000:209::1", "2002:c000:209::1"),
        ("64:ff9b:1::192.0.2.9", "64:ff9b:1::c000:209"),
    ],
)
def test_an_ipv4_address_in_disguise_is_ipv4s_to_reach(address: str, reached: str) -> None:
    assert [str(a) for a in plain([ip_address(address)])] == [reached]
    assert len(plain([ip_address(address), ip_address(reached), ip_address(address)])) == 1


@given(st.integers(0, 2**32 - 1))
def test_no_disguise_makes_an_address_more_allowed(number: int) -> None:
    inner = IPv4Address(number)
    for disguised in (IPv6Address(0xFFFF << 32 | number), IPv6Address(0x64FF9B << 96 | number)):
        assert plain([disguised]) == [inner]
        assert judge(disguised, 993, allow=()).allowed == judge(inner, 993, allow=()).allowed


@pytest.mark.parametrize("port", sorted(MAIL_PORTS))
def test_mail_ports_are_dialled_anywhere(port: int) -> None:
    assert judge(ip_address("8.8.8.8"), port, allow=()).allowed


@pytest.mark.parametrize("port", [21, 22, 23, 53, 139, 389, 445, 514, 1023])
def test_other_low_ports_are_dialled_in_allowed_networks_only(port: int) -> None:
    assert not judge(ip_address("8.8.8.8"), port, allow=()).allowed
    assert judge(ip_address("10.0.0.1"), port, allow=EVERYTHING).allowed


@pytest.mark.parametrize("port", [1024, 2525, 8443, 65535])
def test_high_ports_are_dialled(port: int) -> None:
    assert judge(ip_address("8.8.8.8"), port, allow=()).allowed


@pytest.mark.parametrize("port", [-1, 0, 65536, 2**40])
def test_what_is_no_port_is_refused(port: int) -> None:
    assert "is not a port" in judge(ip_address("8.8.8.8"), port, allow=EVERYTHING).rule


def test_our_own_listeners_are_refused_however_they_are_spelt() -> None:
    own = frozenset({("10.0.0.5", 5432)})
    for spelling in ("10.0.0.5", "::ffff:10.0.0.5", "64:ff9b::10.0.0.5"):
        verdict = judge(ip_address(spelling), 5432, allow=EVERYTHING, forbidden=own)
        assert "belongs to this installation" in verdict.rule
    assert judge(ip_address("10.0.0.5"), 993, allow=EVERYTHING, forbidden=own).allowed


_PRIVATE = [
    IPv4Network(n)
    for n in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
]


@st.composite
def private_v4(draw: st.DrawFn) -> IPv4Address:
    network = draw(st.sampled_from(_PRIVATE))
    return network[draw(st.integers(0, network.num_addresses - 1))]


def embeddings(inner: IPv4Address, noise: int) -> list[IPv6Address]:
    """The ways in which an IPv6 address carries an IPv4 address, the other bits filled with noise."""
    v4, low32, low64, low80 = int(inner), noise % 2**32, noise % 2**64, noise % 2**80
    return [
        IPv6Address(0xFFFF << 32 | v4),
        IPv6Address(v4),
        IPv6Address((0x0064FF9B << 96) | v4),
        IPv6Address((0x0064FF9B0001 << 80) | (low80 >> 32 << 32) | v4),
        IPv6Address((0x2002 << 112) | (v4 << 80) | low80),
        IPv6Address((0x20010000 << 96) | (v4 << 64) | low64),
        IPv6Address((0x20010000 << 96) | (low32 << 64) | (low64 >> 32 << 32) | (~v4 & 0xFFFFFFFF)),
    ]


@given(private_v4(), st.integers(0, 2**80 - 1), st.sampled_from(sorted(MAIL_PORTS)))
def test_nothing_that_carries_a_private_address_is_ever_allowed_by_itself(
    inner: IPv4Address, noise: int, port: int
) -> None:
    for address in (inner, *embeddings(inner, noise)):
        assert not judge(address, port, allow=()).allowed


@given(st.sampled_from([n for n in METADATA if n.version == 4]), st.integers(0, 2**80 - 1))
def test_nothing_that_carries_a_metadata_address_is_ever_allowed(network: IPv4Network, noise: int) -> None:
    for address in embeddings(network[0], noise):
        assert not judge(address, 80, allow=EVERYTHING).allowed


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_the_standard_library_calls_private_is_never_allowed_by_itself(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global:
        mapped = getattr(address, "ipv4_mapped", None)
        assert not judge(address, 993, allow=()).allowed or (mapped and mapped.is_global)
