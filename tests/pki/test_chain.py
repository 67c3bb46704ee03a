# SPDX-License-Identifier: ISC
"""Each chain differs from a good one in one property; the test names the rule that must refuse it."""

from pki import chain
from tests.pki import factory


def test_a_good_chain() -> None:
    ca = factory.authority()
    gateway = factory.leaf(ca, "gw.example.org", "192.0.2.1", "alice@Example.org", "2001:db8::1")
    validated = chain.validate(gateway.der, [], chain.TrustAnchors([ca.certificate]), factory.NOW)
    assert [certificate.subject for certificate in validated.certificates] == [
        "/C=XX/O=Test/CN=gw.example.org",
        "/C=XX/O=Test/CN=Test CA",
    ]
    assert validated.leaf.names == (
        ("FQDN", "gw.example.org"),
        ("IPV4_ADDR", "192.0.2.1"),
        ("USER_FQDN", "alice@example.org"),
        ("IPV6_ADDR", "2001:db8::1"),
    )
    assert validated.leaf.principal == "DN:/C=XX/O=Test/CN=gw.example.org"
    assert validated.leaf.der == gateway.der
    assert validated.expires == factory.NOT_AFTER
