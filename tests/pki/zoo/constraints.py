# SPDX-License-Identifier: ISC
"""Chains whose one fault is a name that an authority above may not certify."""

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from pki.chain import Reason
from tests.pki import factory
from tests.pki.zoo.chains import Chain, Kind, Make, spoilt, three, under
from tests.pki.zoo.good import constraints, dns, net

MAIL = x509.RFC822Name
DIRECTORY = x509.DirectoryName(factory.name("x"))
WITH_MAIL = x509.Name([*factory.name("gw"), x509.NameAttribute(NameOID.EMAIL_ADDRESS, "alice@example.com")])


def mail_as(text: str, kind: _ASN1Type) -> x509.Name:
    """A subject with a mail address of this string type."""
    address = x509.NameAttribute(NameOID.EMAIL_ADDRESS, text, _type=kind, _validate=False)
    return x509.Name([*factory.name("gw"), address])


BMP_MAIL = mail_as("alice@example.org", _ASN1Type.BMPString)
WIDE_MAIL = mail_as("alice@ex\xe4mple.org", _ASN1Type.UTF8String)


def permitted(*subtrees: x509.GeneralName, names: list[str] | None = None, **leaf: object) -> Make:
    changes = {"identities": names} if names is not None else {}
    return spoilt(below=constraints(list(subtrees)), leaf=changes | leaf)


def excluded(*subtrees: x509.GeneralName, names: list[str] | None = None, **leaf: object) -> Make:
    changes = {"identities": names} if names is not None else {}
    return spoilt(below=constraints(None, list(subtrees)), leaf=changes | leaf)


def of_the_authority_above_the_issuer() -> Chain:
    """The authority between has the name; the root does not let it."""
    made = three(root=constraints([dns("example.com")]))
    return under(made.leaf, made.below, anchors=[made.root])


def outside(name: str, make: Make, word: str) -> Kind:
    return Kind(name, make, Reason.NAME_CONSTRAINTS, word)


CONSTRAINTS = [
    outside("host outside", permitted(dns("example.com")), "gw.example.org"),
    outside("host beside", permitted(dns("w.example.org")), "gw.example.org"),
    outside(
        "one of two hosts outside",
        permitted(dns("example.org"), names=["gw.example.org", "gw.example.com"]),
        "gw.example.com",
    ),
    outside("host excluded", excluded(dns("example.org")), "gw.example.org"),
    outside("very host excluded", excluded(dns("gw.example.org")), "gw.example.org"),
    outside("host excluded in other case", excluded(dns("EXAMPLE.org")), "gw.example.org"),
    outside("host under mail constraints", permitted(MAIL("example.org")), "other kinds"),
    outside("host constraint with a dot before it", permitted(dns(".example.org")), ".example.org"),
    outside("mail under host constraints", permitted(dns("example.org"), names=["alice@example.org"]), "other kinds"),
    outside("address under host constraints", permitted(dns("example.org"), names=["192.0.2.1"]), "other kinds"),
    outside(
        "mail too under host constraints",
        permitted(dns("example.org"), names=["gw.example.org", "alice@example.org"]),
        "other kinds",
    ),
    outside("mail domain outside", permitted(MAIL("example.com"), names=["alice@example.org"]), "alice@example.org"),
    outside(
        "mail host below the permitted",
        permitted(MAIL("example.org"), names=["alice@mx.example.org"]),
        "mx.example.org",
    ),
    outside(
        "mail of the domain itself", permitted(MAIL(".example.org"), names=["alice@example.org"]), "alice@example.org"
    ),
    outside("other mailbox", permitted(MAIL("alice@example.org"), names=["bob@example.org"]), "bob@example.org"),
    outside(
        "mailbox in other case",
        permitted(MAIL("alice@example.org"), names=["Alice@example.org"]),
        "Alice@example.org",
    ),
    outside(
        "mailbox excluded", excluded(MAIL("alice@example.org"), names=["alice@example.org"]), "alice@example.org"
    ),
    outside("mail domain excluded", excluded(MAIL("example.org"), names=["alice@example.org"]), "alice@example.org"),
    outside(
        "mail in the subject outside",
        permitted(MAIL("example.org"), names=[], subject=WITH_MAIL),
        "alice@example.com",
    ),
    outside(
        "mail in the subject under host constraints",
        permitted(dns("example.org"), names=["gw.example.org"], subject=WITH_MAIL),
        "alice@example.com",
    ),
    outside(
        "mail in the subject of an authority outside",
        spoilt(
            root=constraints([MAIL("example.org")]),
            below={"subject": WITH_MAIL},
            leaf={"identities": ["alice@example.org"]},
        ),
        "alice@example.com",
    ),
    outside(
        "mail in the subject as BMPString, excluded",
        excluded(MAIL("example.org"), subject=BMP_MAIL),
        "`alice@example.org`; authority `/C=XX/O=Test/CN=Below` has constraints that it cannot be held to",
    ),
    outside(
        "mail in the subject as BMPString, permitted",
        permitted(MAIL("example.org"), names=[], subject=BMP_MAIL),
        "cannot be held to",
    ),
    outside(
        "mail in the subject beyond ASCII",
        excluded(MAIL("xn--exmple-cua.org"), subject=WIDE_MAIL),
        "cannot be held to",
    ),
    outside("subject alone under host constraints", permitted(dns("example.org"), names=[]), "subject alone"),
    outside(
        "wildcard alone under host constraints",
        permitted(dns("example.org"), names=[], general_names=[dns("*.example.org")]),
        "subject alone",
    ),
    outside(
        "wildcard of an excluded host",
        spoilt(below=constraints(None, [dns("www.example.org")]), leaf={"general_names": [dns("*.EXAMPLE.org")]}),
        "`*.EXAMPLE.org`",
    ),
    outside(
        "authority outside its own",
        spoilt(
            below={
                "extensions": [
                    (x509.NameConstraints([dns("example.org")], None), True),
                    (x509.SubjectAlternativeName([dns("example.com")]), False),
                ]
            }
        ),
        "certificate `/C=XX/O=Test/CN=Below` has the name `example.com`",
    ),
    outside("IPv4 outside", permitted(net("192.0.2.0/24"), names=["198.51.100.1"]), "198.51.100.1"),
    outside("IPv4 excluded", excluded(net("192.0.2.0/24"), names=["192.0.2.1"]), "192.0.2.1"),
    outside("IPv6 outside", permitted(net("2001:db8::/48"), names=["2001:db8:1::1"]), "2001:db8:1::1"),
    outside("IPv6 excluded", excluded(net("2001:db8::/32"), names=["2001:db8::1"]), "2001:db8::1"),
    outside("IPv6 under IPv4 constraints", permitted(net("192.0.2.0/24"), names=["2001:db8::1"]), "2001:db8::1"),
    outside("directory names permitted", permitted(DIRECTORY), "DirectoryName"),
    outside("directory names excluded", excluded(DIRECTORY), "DirectoryName"),
    outside("URIs permitted", permitted(x509.UniformResourceIdentifier("example.org")), "UniformResourceIdentifier"),
    outside("host outside the root's", of_the_authority_above_the_issuer, "Test CA"),
    outside(
        "host excluded by the root",
        spoilt(root=constraints(None, [dns("example.org")])),
        "Test CA",
    ),
]
