# SPDX-License-Identifier: ISC
"""Good chains: the one that all others differ from, and those whose one difference does not matter."""

import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.chain import Role
from pki.chain_rules import ANY_EXTENDED_KEY_USAGE, IKE_INTERMEDIATE
from tests.pki import factory
from tests.pki.factory import NOW, Issued
from tests.pki.zoo import raw
from tests.pki.zoo.chains import Chain, Kind, spoilt, three, under, with_extension

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
DNS, MAIL, NETS = "example.org", x509.RFC822Name("example.org"), ("192.0.2.0/24", "2001:db8::/32")


def constraints(
    permitted: list[x509.GeneralName] | None = None, excluded: list[x509.GeneralName] | None = None
) -> dict[str, object]:
    return with_extension(x509.NameConstraints(permitted, excluded))


def dns(value: str) -> x509.DNSName:
    return x509.DNSName(value)


def net(value: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(value))


def steps(count: int) -> Chain:
    """That many authorities between leaf and anchor."""
    path: list[Issued] = [factory.authority()]
    for number in range(count):
        path.append(factory.authority(f"Step {number}", path[-1], key=f"step{number % 2}"))
    return under(factory.leaf(path[-1], "gw.example.org"), *path[1:], anchors=path[:1])


def cross_signed(*, known: str, first: dict[str, object] | None = None) -> Chain:
    """Below has two certificates for one key, from Test CA (`first` spoils that one) and from Other CA."""
    root, other = factory.authority(), factory.authority("Other CA", key="other-ca")
    one = factory.authority("Below", root, key="below", **(first or {}))  # type: ignore[arg-type]
    two = factory.authority("Below", other, key="below")
    anchors = {"Test CA": [root], "Other CA": [other], "both": [root, other]}[known]
    return under(factory.leaf(one, "gw.example.org"), one, two, anchors=anchors)


def anchor_is_below() -> Chain:
    made = three()
    return under(made.leaf, anchors=[made.below])


def directly_below_the_root() -> Chain:
    root = factory.authority()
    return under(factory.leaf(root, "gw.example.org"), anchors=[root])


def strangers_between() -> Chain:
    made = three()
    other = factory.authority("Other CA", key="other-ca")
    stray = factory.leaf(other, "stray.example.org")
    return under(made.leaf, stray, other, made.root, made.below, made.below, anchors=[made.root])


def rolled_over() -> Chain:
    """The root has a new key and name; the old one has certified it, and only the old one is known here."""
    old = factory.authority("Test CA", key="ca")
    new = factory.authority("Test CA 2", old, key="other-ca")
    return under(factory.leaf(new, "gw.example.org"), new, anchors=[old])


GOOD = [
    Kind("good", spoilt()),
    Kind("authority named by another serial number", spoilt(rework_leaf=raw.authority_named(5))),
    Kind("directly below the root", directly_below_the_root),
    Kind("two between", lambda: steps(2)),
    Kind("five between", lambda: steps(5)),
    Kind("the anchor is no root", anchor_is_below),
    Kind("strangers sent along", strangers_between),
    Kind("authority that was rolled over", rolled_over),
    Kind("cross-signed, the first known", lambda: cross_signed(known="Test CA")),
    Kind("cross-signed, the second known", lambda: cross_signed(known="Other CA")),
    Kind("cross-signed, both known", lambda: cross_signed(known="both")),
    Kind(
        "cross-signed, the first expired",
        lambda: cross_signed(known="both", first={"not_after": NOW - factory.DAY}),
    ),
    Kind(
        "cross-signed, the first without keyCertSign",
        lambda: cross_signed(known="both", first={"usage": factory.SIGNS}),
    ),
    Kind(
        "cross-signed, the first for other uses",
        lambda: cross_signed(
            known="both", first=with_extension(x509.ExtendedKeyUsage([factory.CODE_SIGNING]), critical=False)
        ),
    ),
    Kind(
        "cross-signed, the first with directory name constraints",
        lambda: cross_signed(known="both", first=constraints([x509.DirectoryName(factory.name("x"))])),
    ),
    Kind("no extended key usage", spoilt(leaf={"usages": ()})),
    Kind("any extended key usage", spoilt(leaf={"usages": [ANY_EXTENDED_KEY_USAGE]})),
    Kind("ikeIntermediate", spoilt(leaf={"usages": [IKE_INTERMEDIATE]})),
    Kind("ipsecIKE among others", spoilt(leaf={"usages": [factory.CODE_SIGNING, factory.IPSEC_IKE]})),
    Kind("serverAuth of a gateway", spoilt(leaf={"usages": [SERVER]}, role=Role.GATEWAY)),
    Kind("clientAuth of a client", spoilt(leaf={"usages": [CLIENT]}, role=Role.CLIENT)),
    Kind(
        "authority for serverAuth, of a gateway",
        spoilt(
            below=with_extension(x509.ExtendedKeyUsage([SERVER, CLIENT]), critical=False),
            leaf={"usages": [SERVER]},
            role=Role.GATEWAY,
        ),
    ),
    Kind(
        "authority for ipsecIKE",
        spoilt(below=with_extension(x509.ExtendedKeyUsage([factory.IPSEC_IKE]), critical=False)),
    ),
    Kind("no key usage", spoilt(leaf={"usage": None})),
    Kind("nonRepudiation", spoilt(leaf={"usage": factory.key_usage("content_commitment")})),
    Kind("authority without key usage", spoilt(below={"usage": None})),
    Kind("root without key usage", spoilt(root={"usage": None})),
    Kind("no basic constraints", spoilt(leaf={"constraints": None})),
    Kind("no subjectAltName", spoilt(leaf={"identities": []})),
    Kind(
        "a wildcard, which certifies nobody", spoilt(leaf={"identities": [], "general_names": [dns("*.example.org")]})
    ),
    Kind("leaf with P-256", spoilt(leaf={"key": factory.ec_key()})),
    Kind("leaf with P-521", spoilt(leaf={"key": factory.ec_key(curve=ec.SECP521R1)})),
    Kind("leaf with Ed25519", spoilt(leaf={"key": ed25519.Ed25519PrivateKey.generate()})),
    Kind("authority with P-384", spoilt(below={"key": factory.ec_key(curve=ec.SECP384R1)})),
    Kind("root with P-256", spoilt(root={"key": factory.ec_key("root")})),
    Kind("valid from this second", spoilt(leaf={"not_before": NOW})),
    Kind("valid until this second", spoilt(leaf={"not_after": NOW})),
    Kind("path length that suffices", spoilt(root={"constraints": x509.BasicConstraints(ca=True, path_length=1)})),
    Kind("constraints that permit its host", spoilt(below=constraints([dns(DNS)]))),
    Kind("constraints that permit its very name", spoilt(below=constraints([dns("gw.example.org")]))),
    Kind("constraints that exclude others", spoilt(below=constraints(None, [dns("example.com"), net(NETS[0])]))),
    Kind(
        "constraints that permit its mail domain",
        spoilt(below=constraints([MAIL]), leaf={"identities": ["alice@Example.org"]}),
    ),
    Kind(
        "constraints that permit its mailbox",
        spoilt(below=constraints([x509.RFC822Name("alice@example.org")]), leaf={"identities": ["alice@example.org"]}),
    ),
    Kind(
        "constraints that permit hosts of a mail domain",
        spoilt(below=constraints([x509.RFC822Name(".example.org")]), leaf={"identities": ["alice@mx.example.org"]}),
    ),
    Kind(
        "constraints that permit its addresses",
        spoilt(below=constraints([net(NETS[0]), net(NETS[1])]), leaf={"identities": ["192.0.2.1", "2001:db8::1"]}),
    ),
    Kind("constraints of the root that permit", spoilt(root=constraints([dns(DNS)]))),
    Kind("unknown extension that is not critical", spoilt(leaf=with_extension(x509.OCSPNoCheck(), critical=False))),
]
