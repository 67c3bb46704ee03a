# SPDX-License-Identifier: ISC
"""Chains with one thing wrong with an authority."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from pki.chain import Reason, Role
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.zoo import raw
from tests.pki.zoo.chains import PATH_LENGTH_0, Chain, Kind, spoilt, three, under, with_extension
from tests.pki.zoo.good import CLIENT, SERVER, steps

UNKNOWN_EXTENSION = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def for_uses(*usages: x509.ObjectIdentifier) -> dict[str, object]:
    return with_extension(x509.ExtendedKeyUsage(usages), critical=False)


def issued_by_a_peer() -> Chain:
    made = three()
    peer = factory.leaf(made.below, "peer.example.org", key="lower")
    return under(factory.leaf(peer, "gw.example.org"), peer, made.below, anchors=[made.root])


def no_anchor() -> Chain:
    made = three()
    return under(made.leaf, made.below, anchors=[])


def sends_its_own_root() -> Chain:
    made = three()
    return under(made.leaf, made.below, made.root, anchors=[factory.authority("Other CA", key="other-ca")])


def nobody_between() -> Chain:
    made = three()
    return under(made.leaf, anchors=[made.root])


def same_name_other_key() -> Chain:
    """Below has another key than the one that signed the leaf."""
    made = three()
    namesake = factory.authority("Below", made.root, key="upper")
    return under(made.leaf, namesake, anchors=[made.root])


def root_of_the_same_name() -> Chain:
    made = three()
    return under(made.leaf, made.below, anchors=[factory.authority("Test CA", key="other-ca")])


def two_roots_of_one_name() -> Chain:
    made = three()
    return under(made.leaf, made.below, anchors=[made.root, factory.authority("test  ca", key="other-ca")])


def impostor() -> Chain:
    """An authority that Test CA certified takes the name of Other CA, which is trusted as well."""
    made = three()
    other = factory.authority("Other CA", key="other-ca")
    false = factory.authority("Other CA", made.root, key="upper")
    return under(factory.leaf(false, "gw.example.org"), false, anchors=[made.root, other])


def self_issued() -> Chain:
    """Below certifies a new key of its own, in its own name (RFC 5280 3.2)."""
    made = three()
    renewed = factory.authority("Below", made.below, key="upper", constraints=PATH_LENGTH_0)
    return under(factory.leaf(renewed, "gw.example.org"), renewed, made.below, anchors=[made.root])


def loop() -> Chain:
    one, two = factory.authority("One", key="upper"), factory.authority("Two", key="lower")
    crossed = factory.authority("One", two, key="upper"), factory.authority("Two", one, key="lower")
    return under(factory.leaf(one, "gw.example.org"), *crossed, anchors=[factory.authority()])


def one_too_many(limited: str) -> Chain:
    """Two authorities below one that may have one, or one below one that may have none."""
    top = factory.authority(
        constraints=x509.BasicConstraints(True, 1) if limited == "Test CA" else factory.IS_AUTHORITY
    )
    first = factory.authority(
        "First", top, key="upper", constraints=PATH_LENGTH_0 if limited == "First" else factory.IS_AUTHORITY
    )
    second = factory.authority("Second", first, key="lower")
    return under(factory.leaf(second, "gw.example.org"), second, first, anchors=[top])


AUTHORITIES = [
    Kind("no anchor", no_anchor, Reason.UNKNOWN_AUTHORITY, "Test CA"),
    Kind("wrong anchor, the right one sent along", sends_its_own_root, Reason.UNKNOWN_AUTHORITY, "Test CA"),
    Kind("nobody between", nobody_between, Reason.UNKNOWN_AUTHORITY, "Below"),
    Kind("authorities in a loop", loop, Reason.UNKNOWN_AUTHORITY, "no authority known here"),
    Kind("authority of the same name with another key", same_name_other_key, Reason.BAD_SIGNATURE, "gw.example.org"),
    Kind("root of the same name with another key", root_of_the_same_name, Reason.BAD_SIGNATURE, "Below"),
    Kind("two roots of one name", two_roots_of_one_name, Reason.AMBIGUOUS_AUTHORITY, "test  ca"),
    Kind("authority with another root's name", impostor, Reason.BAD_SIGNATURE, "gw.example.org"),
    Kind("authority that is self-issued", self_issued, Reason.BAD_SIGNATURE, "gw.example.org"),
    Kind("issued by a peer", issued_by_a_peer, Reason.ISSUER_NOT_CA, "peer.example.org"),
    Kind("authority without basicConstraints", spoilt(below={"constraints": None}), Reason.ISSUER_NOT_CA, "Below"),
    Kind(
        "authority that is none",
        spoilt(below={"constraints": factory.IS_NO_AUTHORITY}),
        Reason.ISSUER_NOT_CA,
        "Below",
    ),
    Kind("root without basicConstraints", spoilt(root={"constraints": None}), Reason.ISSUER_NOT_CA, "Test CA"),
    Kind("root that is none", spoilt(root={"constraints": factory.IS_NO_AUTHORITY}), Reason.ISSUER_NOT_CA, "Test CA"),
    Kind("authority of version 1", spoilt(rework_below=raw.version_1), Reason.MALFORMED, "version 1"),
    Kind(
        "authority without keyCertSign",
        spoilt(below={"usage": factory.key_usage("crl_sign")}),
        Reason.KEY_USAGE,
        "Below",
    ),
    Kind("authority that may only sign data", spoilt(below={"usage": factory.SIGNS}), Reason.KEY_USAGE, "Below"),
    Kind(
        "root without keyCertSign", spoilt(root={"usage": factory.key_usage("crl_sign")}), Reason.KEY_USAGE, "Test CA"
    ),
    Kind(
        "authority for other uses", spoilt(below=for_uses(factory.CODE_SIGNING)), Reason.EXTENDED_KEY_USAGE, "Below"
    ),
    Kind("authority for serverAuth", spoilt(below=for_uses(SERVER)), Reason.EXTENDED_KEY_USAGE, "Below"),
    Kind(
        "authority for clientAuth, of a gateway",
        spoilt(below=for_uses(CLIENT), role=Role.GATEWAY),
        Reason.EXTENDED_KEY_USAGE,
        "Below",
    ),
    Kind("root for other uses", spoilt(root=for_uses(factory.CODE_SIGNING)), Reason.EXTENDED_KEY_USAGE, "Test CA"),
    Kind("authority expired", spoilt(below={"not_after": NOW - DAY}), Reason.EXPIRED, "Below"),
    Kind("authority not yet valid", spoilt(below={"not_before": NOW + DAY}), Reason.NOT_YET_VALID, "Below"),
    Kind("root expired", spoilt(root={"not_after": NOW - DAY}), Reason.EXPIRED, "Test CA"),
    Kind("root not yet valid", spoilt(root={"not_before": NOW + DAY}), Reason.NOT_YET_VALID, "Test CA"),
    Kind("path length of the root", spoilt(root={"constraints": PATH_LENGTH_0}), Reason.PATH_LENGTH, "Test CA"),
    Kind("path length of the root, further down", lambda: one_too_many("Test CA"), Reason.PATH_LENGTH, "Test CA"),
    Kind("path length of an authority", lambda: one_too_many("First"), Reason.PATH_LENGTH, "First"),
    Kind("six between", lambda: steps(6), Reason.PATH_LENGTH, "more than 5"),
    Kind("eight between", lambda: steps(8), Reason.PATH_LENGTH, "more than 5"),
    Kind("nine sent along", lambda: steps(9), Reason.MALFORMED, "sent 9 certificates"),
    Kind(
        "authority with an unknown critical extension",
        spoilt(below=with_extension(UNKNOWN_EXTENSION)),
        Reason.CRITICAL_EXTENSION,
        "Below",
    ),
    Kind(
        "root with an unknown critical extension",
        spoilt(root=with_extension(UNKNOWN_EXTENSION)),
        Reason.CRITICAL_EXTENSION,
        "Test CA",
    ),
    Kind(
        "authority with policy constraints",
        spoilt(below=with_extension(x509.PolicyConstraints(0, None))),
        Reason.CRITICAL_EXTENSION,
        "2.5.29.36",
    ),
    Kind("authority without a name", spoilt(below={"subject": x509.Name([])}), Reason.EMPTY_SUBJECT, "empty name"),
    Kind("root without a name", spoilt(root={"subject": x509.Name([])}), Reason.EMPTY_SUBJECT, "empty name"),
    Kind(
        "authority with NUL in its subject",
        spoilt(below={"subject": "Be\0low"}),
        Reason.MALFORMED,
        r"`/C=XX/O=Test/CN=Be\x00low`, has NUL in a name",
    ),
    Kind("root with NUL in its subject", spoilt(root={"subject": "Test\0CA"}), Reason.MALFORMED, "has NUL in a name"),
    Kind("authority with RSA-1024", spoilt(below={"key": factory.rsa_key("weak", 1024)}), Reason.WEAK_KEY, "Below"),
    Kind("root with RSA-1024", spoilt(root={"key": factory.rsa_key("weak", 1024)}), Reason.WEAK_KEY, "Test CA"),
    Kind(
        "authority with P-224", spoilt(below={"key": factory.ec_key("weak", ec.SECP224R1)}), Reason.WEAK_KEY, "Below"
    ),
    Kind(
        "authority with Ed25519",
        spoilt(below={"key": ed25519.Ed25519PrivateKey.generate()}),
        Reason.REFUSED,
        "Forbidden",
    ),
]
