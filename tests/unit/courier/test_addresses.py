from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from services.courier.addresses import (
    Address,
    AddressPolicy,
    AddressRefused,
    Cause,
    is_public,
    parse_url,
)

POLICY = AddressPolicy.parse("", "80,443")


def cause_of(url: str, policy: AddressPolicy = POLICY) -> Cause:
    with pytest.raises(AddressRefused) as refused:
        policy.check_target(parse_url(url))
    return refused.value.cause


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/a?b=c", "https://example.com/a?b=c"),
        ("http://example.com.:80/", "http://example.com/"),
        ("http://8.8.8.8/x%20y", "http://8.8.8.8/x%20y"),
        ("http://[2606:2800:0220:1::1]/", "http://[2606:2800:220:1::1]/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://my_hook.example-host.io/", "https://my_hook.example-host.io/"),
    ],
)
def test_a_url_has_one_reading(url: str, read: str) -> None:
    assert parse_url(url).url == read
    assert parse_url(read).url == read


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://example.com\\@127.0.0.1/", Cause.FORM),
        ("http://example.com/\r\nHost: evil", Cause.FORM),
        ("http://example.com/\tx", Cause.FORM),
        ("http://exa mple.com/", Cause.FORM),
        ("http://example.com/%zz", Cause.FORM),
        ('http://example.com/"x"', Cause.FORM),
        ("http://example.com/#x", Cause.FORM),
        ("http://bücher.example/", Cause.FORM),
        ("http://example.com:99999/", Cause.FORM),
        ("http://example.com:abc/", Cause.FORM),
        ("http://[::1/", Cause.FORM),
        ("https://" + "a" * 2000 + "/", Cause.FORM),
        ("//example.com/", Cause.SCHEME),
        ("javascript:alert(1)", Cause.SCHEME),
        ("http://user@example.com/", Cause.USERINFO),
        ("http://:@example.com/", Cause.USERINFO),
        ("http://example.com:0/", Cause.PORT),
        ("http://example.com:/", Cause.PORT),
        ("http://example.com:25/", Cause.PORT),
        ("http:///path", Cause.HOST),
        ("http://./", Cause.HOST),
        ("http://-a.example/", Cause.HOST),
        ("http://a..example/", Cause.HOST),
        ("http://" + "a" * 64 + ".example/", Cause.HOST),
        ("http://[fe80::1%25eth0]/", Cause.HOST),
        ("http://[::1].example/", Cause.FORM),
        ("http://[2606:2800:220:1::1].example/", Cause.FORM),
        ("http://[2606:2800:220:1::1%25x]/", Cause.HOST),
        ("http://example.123/", Cause.HOST),
        ("http://1.2.3/", Cause.HOST),
        ("http://256.1.1.1/", Cause.HOST),
        ("http://01.1.1.1/", Cause.HOST),
        ("http://0x7f.1/", Cause.HOST),
        ("http://127.0.0.1./", Cause.ADDRESS),
    ],
)
def test_what_could_be_read_in_two_ways_or_leads_inside_is_refused(url: str, cause: Cause) -> None:
    assert cause_of(url) == cause


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "192.168.0.1"),
        *("169.254.169.254", "100.64.0.1", "0.1.2.3", "192.0.0.8", "198.18.0.1"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::808:808"),
        *("2002:808:808::1", "2001:0:1::1", "64:ff9b:1::1"),
    ],
)
def test_an_address_that_is_not_of_the_public_network_is_not_called(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1"])
def test_an_address_of_the_public_network_is_called(address: str) -> None:
    assert is_public(ip_address(address))


addresses: st.SearchStrategy[Address] = st.ip_addresses()


@given(addresses)
def test_an_embedded_or_private_address_never_passes(address: Address) -> None:
    if is_public(address):
        assert not address.is_private
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_multicast
        if isinstance(address, IPv6Address):
            assert address.ipv4_mapped is None
            assert address.sixtofour is None
            assert address.teredo is None


@given(st.text(max_size=60) | st.from_regex(r"https?://[!-~]{1,60}", fullmatch=True))
def test_what_is_accepted_every_reader_reads_alike(url: str) -> None:
    try:
        target = parse_url(url)
    except AddressRefused:
        return
    for read in (urlsplit(target.url).hostname, URL(target.url, encoded=True).host):
        assert read == target.host
    assert URL(target.url, encoded=True).port == target.port
    assert target.url.isascii()
    assert not set(target.url) & set(' \r\n\t\\"<>')


@given(st.ip_addresses(v=4))
def test_a_host_of_digits_is_an_address_in_its_canonical_form_or_refused(
    address: IPv4Address,
) -> None:
    number = int(address)
    assert parse_url(f"http://{address}/").literal == address
    for trick in (str(number), hex(number), f"0{number:o}"):
        with pytest.raises(AddressRefused):
            parse_url(f"http://{trick}/")


def test_a_setting_opens_what_it_names_and_nothing_else() -> None:
    policy = AddressPolicy.parse("127.0.0.1:8099, hooks.internal:80, 10.0.0.0/8, [::1]:9000", "443")

    for url in ("http://127.0.0.1:8099/", "http://10.1.2.3:12345/", "http://[::1]:9000/"):
        policy.check_target(parse_url(url))
    inside = parse_url("http://hooks.internal/")
    policy.check_address(inside, ip_address("192.168.7.7"))
    assert cause_of("http://127.0.0.1:8098/", policy) is Cause.ADDRESS
    assert cause_of("http://127.0.0.2:8099/", policy) is Cause.ADDRESS
    assert cause_of("http://8.8.8.8/", policy) is Cause.PORT
    with pytest.raises(AddressRefused):
        policy.check_address(parse_url("http://other.internal/"), ip_address("192.168.7.7"))


def test_a_name_that_resolves_to_an_allowed_network_may_use_any_port() -> None:
    policy = AddressPolicy.parse("10.0.0.0/8", "443")
    target = parse_url("http://hooks.internal:12345/")

    policy.check_target(target)
    policy.check_address(target, ip_address("10.0.0.9"))
    with pytest.raises(AddressRefused):
        policy.check_address(target, ip_address("8.8.8.8"))


@pytest.mark.parametrize("setting", ["127.0.0.1", "nonsense", "10.0.0.0/99", "host:port"])
def test_a_setting_that_cannot_be_read_is_said_so(setting: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        AddressPolicy.parse(setting, "443")
