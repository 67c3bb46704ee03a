# SPDX-License-Identifier: ISC
import ipaddress

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import names
from pki.errors import NameInvalid


@pytest.mark.parametrize(
    ("text", "kind", "value", "general_name"),
    [
        ("gw.example.org", "FQDN", "gw.example.org", x509.DNSName("gw.example.org")),
        ("GW.Example.ORG", "FQDN", "gw.example.org", x509.DNSName("gw.example.org")),
        ("gw", "FQDN", "gw", x509.DNSName("gw")),
        ("xn--bcher-kva.example", "FQDN", "xn--bcher-kva.example", x509.DNSName("xn--bcher-kva.example")),
        ("Alice@Example.org", "USER_FQDN", "Alice@example.org", x509.RFC822Name("Alice@example.org")),
        ("a.b+c@x", "USER_FQDN", "a.b+c@x", x509.RFC822Name("a.b+c@x")),
        ("192.0.2.1", "IPV4_ADDR", "192.0.2.1", x509.IPAddress(ipaddress.ip_address("192.0.2.1"))),
        ("2001:DB8:0::1", "IPV6_ADDR", "2001:db8::1", x509.IPAddress(ipaddress.ip_address("2001:db8::1"))),
    ],
)
def test_an_identity_and_the_name_that_certifies_it(
    text: str, kind: str, value: str, general_name: x509.GeneralName
) -> None:
    identity = names.identity(text)
    assert identity == (kind, value)
    assert str(identity) == f"ID_{kind} {value}"
    assert names.general_name(identity) == general_name
    assert names.certified(general_name) == identity


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "gw.",
        ".gw",
        "gw..example",
        "*.example.org",
        "gw.*.org",
        "gw example.org",
        "gw\0.example.org",
        "gw\n",
        "gw.example.org\x7f",
        "bücher.example",
        "xn--bücher",
        "xn--a.example",  # decodes to nothing that is not ASCII
        "xn--.example",
        "xn--99999999999999999999.example",
        "ab--cd.example",  # reserved for what is not invented
        "-gw.example.org",
        "gw-.example.org",
        "x" * 64 + ".example",
        ".".join(["x" * 49] * 6),
        "192.0.2.300",
        "192.0.2",
        "010.0.0.1",
        "192.0.2.0/24",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
        "fe80::1%eth0",
        "@example.org",
        "alice@",
        "alice@@example.org",
        "a@b@example.org",
        "alice@*.org",
        "*@example.org",
        "alice smith@example.org",
        "Alice <alice@example.org>",
        '"alice"@example.org',
        ".alice@example.org",
        "a..b@example.org",
        "../../etc/x@example.org",
        "a/b@example.org",
        "alice\0@example.org",
        "älice@example.org",
        "x" * 65 + "@example.org",
    ],
)
def test_what_is_no_identity(text: str) -> None:
    with pytest.raises(NameInvalid) as caught:
        names.identity(text)
    assert str(caught.value).isprintable()


def test_hints() -> None:
    with pytest.raises(NameInvalid) as caught:
        names.identity("gw.example.org.")
    assert caught.value.hint == "write `gw.example.org`"
    with pytest.raises(NameInvalid) as caught:
        names.identity("bücher.example")
    assert "xn--" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("*.example.org"),
        x509.DNSName("gw.example.org."),
        x509.DNSName(""),
        x509.DNSName("192.0.2.1"),
        x509.RFC822Name("*@example.org"),
        x509.RFC822Name("example.org"),
        x509.RFC822Name("a/b@example.org"),
        x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")),
        x509.IPAddress(ipaddress.ip_network("2001:db8::/32")),
        x509.IPAddress(ipaddress.ip_address("0.0.0.0")),
        x509.UniformResourceIdentifier("https://gw.example.org/"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.DirectoryName(x509.Name([])),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    ],
)
def test_subject_alt_names_that_certify_nobody(name: x509.GeneralName) -> None:
    assert names.certified(name) is None


@pytest.mark.parametrize("value", ["gw\0.example.org", "gw .example.org", "gw\r\n", "\x7fgw", "gw\xa0"])
def test_subject_alt_names_that_no_honest_authority_signs(value: str) -> None:
    with pytest.raises(NameInvalid):
        names.certified(x509.DNSName._init_without_validation(value))
    with pytest.raises(NameInvalid):
        names.certified(x509.RFC822Name._init_without_validation("alice@" + value))


def test_case_does_not_make_two_identities_of_one_host() -> None:
    assert names.certified(x509.DNSName("GW.Example.org")) == names.identity("gw.example.org")


def test_case_makes_two_people() -> None:
    """RFC 5280 7.5: only the host part of a mail address is compared without case."""
    assert names.identity("Alice@example.org") != names.identity("alice@example.org")


# Invariant: any text is an identity or refused; an identity is its own text, and is certified by its own name.
@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=30), st.text("ab.xn-@:0129*/\\\0 é", max_size=20)))
def test_any_text_is_one_identity_or_refused(text: str) -> None:
    try:
        identity = names.identity(text)
    except NameInvalid:
        return
    assert names.identity(identity.value) == identity
    assert names.certified(names.general_name(identity)) == identity
    assert "/" not in identity.value


# Invariant: the name of any certificate certifies an identity, nothing, or is refused.
@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(max_codepoint=0x180), max_size=30))
def test_any_subject_alt_name(value: str) -> None:
    for name in (x509.DNSName._init_without_validation(value), x509.RFC822Name._init_without_validation(value)):
        try:
            identity = names.certified(name)
        except NameInvalid:
            continue
        assert identity is None or names.identity(identity.value) == identity
