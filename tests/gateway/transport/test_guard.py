"""gateway/transport/guard.py: the hostile table, and one resolution for check and connection."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.transport.guard import Guard, GuardedResolver, GuardSettings, NotAllowed, is_public
from tests.gateway.transport.kit import Names

STRICT = GuardSettings()
OPEN_PORTS = GuardSettings(allow_http=True, allow_ports=(8080,))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        # where it may go
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("http://example.com/", "scheme"),
        ("//example.com/", "scheme"),
        ("https://user@example.com/", "credentials"),
        ("https://user:password@example.com/", "credentials"),
        ("https://:password@example.com/", "credentials"),
        ("https://example.com:8443/", "port"),
        ("https://example.com:80/", "port"),
        ("https://example.com:22/", "port"),
        ("https://example.com:0/", "port"),
        # addresses that are written out
        ("https://127.0.0.1/", "public"),
        ("https://127.8.8.8/", "public"),
        ("https://0.0.0.0/", "public"),
        ("https://10.1.2.3/", "public"),
        ("https://172.16.0.1/", "public"),
        ("https://192.168.1.1/", "public"),
        ("https://169.254.169.254/latest/meta-data/", "public"),
        ("https://100.64.0.1/", "public"),
        ("https://100.100.100.200/", "public"),
        ("https://168.63.129.16/", "public"),
        ("https://192.0.0.192/", "public"),
        ("https://192.0.2.1/", "public"),
        ("https://198.18.0.1/", "public"),
        ("https://224.0.0.1/", "public"),
        ("https://240.0.0.1/", "public"),
        ("https://255.255.255.255/", "public"),
        ("https://[::1]/", "public"),
        ("https://[::]/", "public"),
        ("https://[::ffff:127.0.0.1]/", "public"),
        ("https://[::ffff:8.8.8.8]/", "public"),
        ("https://[::ffff:7f00:1]/", "public"),
        ("https://[::127.0.0.1]/", "public"),
        ("https://[64:ff9b::127.0.0.1]/", "public"),
        ("https://[64:ff9b::a9fe:a9fe]/", "public"),
        ("https://[64:ff9b:1::8.8.8.8]/", "public"),
        ("https://[2002:7f00:1::]/", "public"),
        ("https://[2002:808:808::]/", "public"),
        ("https://[2001:0:7f00:1::]/", "public"),
        ("https://[fe80::1]/", "public"),
        ("https://[fe80::1%25eth0]/", "."),
        ("https://[fc00::1]/", "public"),
        ("https://[fd00:ec2::254]/", "public"),
        ("https://[fec0::1]/", "public"),
        ("https://[ff02::1]/", "public"),
        ("https://[2001:db8::1]/", "public"),
        ("https://[3fff::1]/", "public"),
        # addresses in disguise: never resolved
        ("https://2130706433/", "canonical"),
        ("https://0x7f000001/", "canonical"),
        ("https://0x7f.1/", "canonical"),
        ("https://0X7F.0.0.1/", "canonical"),
        ("https://017700000001/", "canonical"),
        ("https://0177.0.0.1/", "canonical"),
        ("https://127.1/", "canonical"),
        ("https://127.0.1/", "canonical"),
        ("https://127.0.0.1./", "canonical"),
        ("https://0/", "canonical"),
        ("https://8.8.8.8.8/", "canonical"),
        ("https://999.1.1.1/", "canonical"),
        ("https://example.1/", "canonical"),
        ("https://example.0x1/", "canonical"),
        ("https://１２７.０.０.１/", "public"),
        ("https://①②⑦.0.0.1/", "public"),
        ("https://127。0。0。1/", "public"),
        # names that are none
        ("https:///path", "."),
        ("https://a..b/", "."),
        ("https://-a.example/", "host name"),
        ("https://" + "a" * 64 + ".example/", "."),
        ("https://" + "a." * 130 + "example/", "."),
        ("https://exa%6dple.com%2f@127.0.0.1/", "."),
        ("https://example.com%00.evil/", "."),
        ("https://exa mple.com/", "."),
    ],
)
def test_hostile_urls_are_refused_unresolved(url: str, why: str) -> None:
    """For this reason; `.` may be no URL at all. The text never repeats the URL."""
    try:
        parsed = URL(url)
    except ValueError:
        assert why == "."
        return
    with pytest.raises(NotAllowed, match=why) as refused:
        Guard(STRICT).check_url(parsed)
    assert "127" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://example.com:443/a?b=c",
        "https://sub_domain.example.com/",
        "https://xn--mnchen-3ya.example/",
        "https://münchen.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://[64:ff9b::8.8.8.8]/",
        "https://0x.example/",
        "https://127.0.0.1.example/",
        "https://١٢٧.٠.٠.١/",  # IDNA makes a name of it: what it resolves to decides
    ],
)
def test_ordinary_urls_pass(url: str) -> None:
    Guard(STRICT).check_url(URL(url))


def test_http_and_ports_are_allowed_by_name() -> None:
    guard = Guard(OPEN_PORTS)
    for url in (
        "http://example.com/",
        "http://example.com:8080/",
        "https://example.com:8080/",
        "https://example.com:80/",
    ):
        guard.check_url(URL(url))
    with pytest.raises(NotAllowed, match="port"):
        guard.check_url(URL("http://example.com:8081/"))


def test_an_allowed_network_allows_nothing_else() -> None:
    guard = Guard(GuardSettings(allow_networks=("10.1.0.0/16", "fd00::/8")))
    for host in ("10.1.2.3", "fd12::1", "8.8.8.8"):
        guard.check_host(host)
    for host in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3", "fe80::1"):
        with pytest.raises(NotAllowed):
            guard.check_host(host)


@pytest.mark.parametrize("network", ["10.1.2.3/8", "localhost", "", "10.0.0.0/33"])
def test_a_network_that_is_none_is_refused_at_the_start(network: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the text is Python's
        Guard(GuardSettings(allow_networks=(network,)))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("localhost", ["127.0.0.1"]),
        ("localhost.", ["127.0.0.1"]),
        ("metadata.google.internal", ["169.254.169.254"]),
        ("evil.example", ["10.0.0.1"]),
        ("evil.example", ["8.8.8.8", "10.0.0.1"]),
        ("evil.example", ["8.8.8.8", "::1"]),
        ("evil.example", ["2606:4700::1111", "::ffff:127.0.0.1"]),
        ("evil.example", ["fe80::1%2"]),
        ("evil.example", ["64:ff9b::10.0.0.1"]),
    ],
)
async def test_one_bad_address_refuses_the_name(name: str, answer: list[str]) -> None:
    names = Names(answer)
    with pytest.raises(NotAllowed):
        await GuardedResolver(Guard(STRICT), names).resolve(name, 443)
    assert names.asked == [name]


async def test_what_was_checked_is_what_is_connected_to() -> None:
    names = Names(["8.8.8.8", "2606:4700::1111"])
    found = await GuardedResolver(Guard(STRICT), names).resolve("good.example", 443)
    assert [entry["host"] for entry in found] == ["8.8.8.8", "2606:4700::1111"]
    assert names.asked == ["good.example"]


async def test_a_disguised_address_is_not_even_resolved() -> None:
    names = Names(["8.8.8.8"])
    with pytest.raises(NotAllowed):
        await GuardedResolver(Guard(STRICT), names).resolve("127.1", 443)
    assert names.asked == []


@given(address=st.ip_addresses(v=4))
def test_no_spelling_of_a_private_ipv4_address_inside_ipv6_passes(address: object) -> None:
    v4 = ip_address(str(address))
    packed = int(v4)
    inside = [ip_address(f"::ffff:{v4}"), ip_address(f"::{v4}"), ip_address((0x2002 << 112) | (packed << 80))]
    assert not any(is_public(v6) for v6 in inside)
    assert is_public(ip_address(f"64:ff9b::{v4}")) == is_public(v4)


@given(host=st.text(max_size=30))
def test_any_host_is_allowed_or_refused(host: str) -> None:
    """Nothing else is raised, and what passes is a plain name or a public address."""
    try:
        Guard(STRICT).check_host(host)
    except NotAllowed:
        return
    assert host.isascii()
