# SPDX-License-Identifier: ISC
"""Each chain differs from a good one in one property; the test names the rule that must refuse it."""

import datetime
import ipaddress
import warnings
from collections.abc import Callable, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import chain
from pki.chain import ChainError, Reason, TrustAnchors
from tests.pki import factory
from tests.pki.factory import DAY, NOW, Issued

CA = factory.authority()
OTHER_CA = factory.authority("Other CA", key="other-ca")


def validate(
    leaf: Issued | bytes, *others: Issued, anchors: Sequence[Issued] = (CA,), now: datetime.datetime = NOW
) -> chain.ValidatedChain:
    leaf_der = leaf if isinstance(leaf, bytes) else leaf.der
    trust = TrustAnchors([anchor.certificate for anchor in anchors])
    return chain.validate(leaf_der, [other.der for other in others], trust, now)


def subjects(validated: chain.ValidatedChain) -> list[str]:
    return [certificate.subject.rpartition("=")[2] for certificate in validated.certificates]


def test_a_good_chain() -> None:
    gateway = factory.leaf(CA, "gw.example.org", "192.0.2.1", "alice@Example.org", "2001:db8::1", not_after=NOW + DAY)
    validated = validate(gateway)
    assert [certificate.subject for certificate in validated.certificates] == [
        "/C=XX/O=Test/CN=gw.example.org",
        "/C=XX/O=Test/CN=Test CA",
    ]
    leaf = validated.leaf
    assert leaf.names == (
        ("FQDN", "gw.example.org"),
        ("IPV4_ADDR", "192.0.2.1"),
        ("USER_FQDN", "alice@example.org"),
        ("IPV6_ADDR", "2001:db8::1"),
    )
    assert leaf.principal == "DN:/C=XX/O=Test/CN=gw.example.org"
    assert leaf.issuer == "/C=XX/O=Test/CN=Test CA"
    assert leaf.der == gateway.der
    assert leaf.subject_der == gateway.certificate.subject.public_bytes()
    assert leaf.sha256.hex() == gateway.certificate.fingerprint(factory.SHA256).hex()
    assert leaf.load_public_key() == gateway.key.public_key()
    assert (leaf.not_before, leaf.not_after) == (factory.NOT_BEFORE, NOW + DAY)
    assert validated.expires == NOW + DAY


def test_intermediates_in_any_order_with_useless_ones_between() -> None:
    upper = factory.authority("Upper", CA, key="upper", not_after=NOW + DAY)
    lower = factory.authority("Lower", upper, key="lower")
    gateway = factory.leaf(lower, "gw.example.org")
    stray = factory.leaf(OTHER_CA, "stray.example.org")
    validated = validate(gateway, lower, stray, CA, upper, OTHER_CA, lower)
    assert subjects(validated) == ["gw.example.org", "Lower", "Upper", "Test CA"]
    assert validated.expires == NOW + DAY


def test_certificates_beside_the_chain_that_cannot_be_read_do_not_matter() -> None:
    gateway = factory.leaf(CA, "gw.example.org")
    trust = TrustAnchors([CA.certificate])
    assert chain.validate(gateway.der, [b"", b"garbage", gateway.der[:-1]], trust, NOW).leaf.der == gateway.der


def test_an_intermediate_can_be_the_anchor() -> None:
    upper = factory.authority("Upper", CA, key="upper")
    assert subjects(validate(factory.leaf(upper, "gw.example.org"), CA, anchors=[upper])) == [
        "gw.example.org",
        "Upper",
    ]


def test_the_last_second_counts() -> None:
    gateway = factory.leaf(CA, "gw.example.org", not_before=NOW, not_after=NOW + DAY)
    validate(gateway, now=NOW)
    validate(gateway, now=NOW + DAY)


def test_now_may_be_in_any_zone() -> None:
    gateway = factory.leaf(CA, "gw.example.org", not_before=NOW, not_after=NOW + DAY)
    zone = datetime.timezone(datetime.timedelta(hours=9))
    validate(gateway, now=NOW.astimezone(zone))
    with pytest.raises(ChainError) as caught:
        validate(gateway, now=(NOW + DAY + datetime.timedelta(seconds=1)).astimezone(zone))
    assert "2026-11-02 12:00:01Z" in caught.value.hint


ACCEPTED: dict[str, Callable[[], Issued]] = {
    "no extended key usage": lambda: factory.leaf(CA, "gw", usages=()),
    "any extended key usage": lambda: factory.leaf(CA, "gw", usages=[x509.ObjectIdentifier("2.5.29.37.0")]),
    "ikeIntermediate": lambda: factory.leaf(CA, "gw", usages=[x509.ObjectIdentifier("1.3.6.1.5.5.8.2.2")]),
    "ipsecIKE among others": lambda: factory.leaf(CA, "gw", usages=[factory.CODE_SIGNING, factory.IPSEC_IKE]),
    "no key usage": lambda: factory.leaf(CA, "gw", usage=None),
    "nonRepudiation": lambda: factory.leaf(CA, "gw", usage=factory.key_usage("content_commitment")),
    "no basic constraints": lambda: factory.leaf(CA, "gw", constraints=None),
    "no subjectAltName": lambda: factory.leaf(CA),
    "elliptic curve": lambda: factory.leaf(CA, "gw", key=factory.ec_key()),
    "Ed25519": lambda: factory.leaf(CA, "gw", key=ed25519.Ed25519PrivateKey.generate()),
    "authority without key usage": lambda: factory.leaf(_below(usage=None), "gw"),
}


def _below(**spoilt: object) -> Issued:
    issued = factory.authority("Below", CA, key="below", **spoilt)  # type: ignore[arg-type]
    return issued


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(make: Callable[[], Issued]) -> None:
    validate(make(), _below(usage=None))


def _constrained(**subtrees: list[x509.GeneralName]) -> Issued:
    constraints = x509.NameConstraints(subtrees.get("permitted"), subtrees.get("excluded"))
    return factory.authority("Constrained", CA, key="constrained", extensions=[(constraints, True)])


DNS = x509.DNSName("example.org")
NET = x509.IPAddress(ipaddress.ip_network("192.0.2.0/24"))
DIRECTORY = x509.DirectoryName(factory.name("x"))
INNER = x509.RFC822Name("example.org")


@pytest.mark.parametrize(
    ("authority", "identities"),
    [
        (_constrained(permitted=[DNS]), ["gw.example.org"]),
        (_constrained(permitted=[DNS, NET]), ["gw.example.org", "192.0.2.1"]),
        (_constrained(permitted=[INNER]), ["alice@example.org"]),
        (_constrained(excluded=[DNS]), ["gw.example.com", "192.0.2.1"]),
    ],
)
def test_within_name_constraints(authority: Issued, identities: list[str]) -> None:
    validate(factory.leaf(authority, *identities), authority)


@pytest.mark.parametrize(
    ("authority", "identities"),
    [
        (_constrained(permitted=[DNS]), ["gw.example.com"]),
        (_constrained(permitted=[DNS]), ["gw.example.org", "gw.example.com"]),
        (_constrained(permitted=[DNS]), ["gw.example.org", "alice@example.org"]),  # the library lets it pass
        (_constrained(permitted=[DNS]), ["192.0.2.1"]),  # the library lets it pass
        (_constrained(permitted=[NET]), ["198.51.100.1"]),
        (_constrained(permitted=[NET]), ["2001:db8::1"]),
        (_constrained(permitted=[INNER]), ["alice@example.com"]),
        (_constrained(excluded=[DNS]), ["gw.example.org"]),
        (_constrained(permitted=[DIRECTORY]), []),  # the library looks at subjectAltNames alone
        (_constrained(excluded=[DIRECTORY]), ["gw.example.org"]),
        (_constrained(permitted=[x509.UniformResourceIdentifier("example.org")]), ["gw.example.org"]),
    ],
)
def test_outside_name_constraints(authority: Issued, identities: list[str]) -> None:
    with pytest.raises(ChainError) as caught:
        validate(factory.leaf(authority, *identities), authority)
    assert caught.value.reason is Reason.NAME_CONSTRAINTS


def test_name_constraints_of_the_anchor_count() -> None:
    anchor = factory.authority(
        "Constrained", key="constrained", extensions=[(x509.NameConstraints([DNS], None), True)]
    )
    validate(factory.leaf(anchor, "gw.example.org"), anchors=[anchor])
    with pytest.raises(ChainError) as caught:
        validate(factory.leaf(anchor, "gw.example.com"), anchors=[anchor])
    assert caught.value.reason is Reason.NAME_CONSTRAINTS


class Chain:
    """A leaf and what its peer sends along."""

    def __init__(self, leaf: Issued | bytes, *others: Issued) -> None:
        self.leaf, self.others = leaf, others


def _under(authority: Issued) -> Chain:
    return Chain(factory.leaf(authority, "gw.example.org"), authority)


def _leaf_of(authority: Issued) -> Issued:
    return factory.leaf(authority, "gw.example.org")


def _altered() -> bytes:
    der = factory.leaf(CA, "gw.example.org").der
    return der[:-1] + bytes([der[-1] ^ 1])


def _three_below_a_limit() -> Chain:
    first = factory.authority("First", CA, key="upper", constraints=x509.BasicConstraints(ca=True, path_length=0))
    second = factory.authority("Second", first, key="lower")
    return Chain(factory.leaf(second, "gw"), first, second)


def _longer_than_anybody_needs() -> Chain:
    path = [CA]
    for number in range(7):
        path.append(factory.authority(f"Step {number}", path[-1], key=f"step{number % 2}"))
    return Chain(factory.leaf(path[-1], "gw"), *path[1:])


GATEWAY = "/C=XX/O=Test/CN=gw.example.org"
BELOW = "/C=XX/O=Test/CN=Below"
UNKNOWN_EXTENSION = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
# what, chain, reason, whose fault: the subject that the message names
REFUSED: list[tuple[str, Callable[[], Chain], Reason, str]] = [
    ("expired", lambda: Chain(factory.leaf(CA, "gw.example.org", not_after=NOW - DAY)), Reason.EXPIRED, GATEWAY),
    ("not yet valid", lambda: Chain(factory.leaf(CA, "gw", not_before=NOW + DAY)), Reason.NOT_YET_VALID, "gw"),
    ("wrong authority", lambda: Chain(factory.leaf(OTHER_CA, "gw")), Reason.UNKNOWN_AUTHORITY, "Other CA"),
    ("sends its own root", lambda: _under(OTHER_CA), Reason.UNKNOWN_AUTHORITY, "Other CA"),
    ("intermediate missing", lambda: Chain(factory.leaf(_below(), "gw")), Reason.UNKNOWN_AUTHORITY, BELOW),
    (
        "authority of the same name",
        lambda: Chain(factory.leaf(factory.authority(key="other-ca"), "gw.example.org")),
        Reason.BAD_SIGNATURE,
        GATEWAY,
    ),
    ("altered", lambda: Chain(_altered()), Reason.BAD_SIGNATURE, GATEWAY),
    ("issuer is a peer", lambda: _under(factory.leaf(CA, "peer.example")), Reason.ISSUER_NOT_CA, "peer.example"),
    ("issuer without constraints", lambda: _under(_below(constraints=None)), Reason.ISSUER_NOT_CA, BELOW),
    ("issuer lacks keyCertSign", lambda: _under(_below(usage=factory.SIGNS)), Reason.KEY_USAGE, BELOW),
    ("issuer expired", lambda: _under(_below(not_after=NOW - DAY)), Reason.EXPIRED, BELOW),
    ("issuer not yet valid", lambda: _under(_below(not_before=NOW + DAY)), Reason.NOT_YET_VALID, BELOW),
    (
        "issuer for other uses",
        lambda: _under(_below(extensions=[(x509.ExtendedKeyUsage([factory.CODE_SIGNING]), False)])),
        Reason.EXTENDED_KEY_USAGE,
        BELOW,
    ),
    ("issuer with a weak key", lambda: _under(_below_with_1024_bits()), Reason.WEAK_KEY, "Weak"),
    (
        "issuer with an authority's name",
        lambda: Chain(*reversed([_below(), it := factory.authority("Test CA", _below(), key="upper"), _leaf_of(it)])),
        Reason.BAD_SIGNATURE,
        GATEWAY,
    ),
    ("path length", _three_below_a_limit, Reason.PATH_LENGTH, "First"),
    ("long path", _longer_than_anybody_needs, Reason.REFUSED, "gw"),
    ("leaf is an authority", lambda: Chain(factory.authority("gw", CA, key="leaf")), Reason.LEAF_IS_CA, "CN=gw"),
    ("leaf is the anchor", lambda: Chain(CA), Reason.LEAF_IS_CA, "Test CA"),
    (
        "leaf has an authority's subject",
        lambda: Chain(factory.leaf(CA, "gw", subject="Test CA")),
        Reason.AUTHORITY_SUBJECT,
        "Test CA",
    ),
    (
        "leaf looks like an authority",
        lambda: Chain(factory.leaf(CA, "gw", subject=factory.name("TEST  ca"))),
        Reason.AUTHORITY_SUBJECT,
        "TEST  ca",
    ),
    (
        "leaf has another authority's subject",
        lambda: Chain(factory.leaf(CA, "gw", subject="Other CA")),
        Reason.AUTHORITY_SUBJECT,
        "Other CA",
    ),
    (
        "leaf has its intermediate's subject",
        lambda: Chain(factory.leaf(_below(), "gw", subject="below"), _below()),
        Reason.AUTHORITY_SUBJECT,
        "CN=below",
    ),
    ("empty subject", lambda: Chain(factory.leaf(CA, "gw", subject=x509.Name([]))), Reason.EMPTY_SUBJECT, "Test CA"),
    (
        "keyEncipherment only",
        lambda: Chain(factory.leaf(CA, "gw", usage=factory.key_usage("key_encipherment"))),
        Reason.KEY_USAGE,
        "gw",
    ),
    (
        "keyCertSign without being an authority",
        lambda: Chain(factory.leaf(CA, "gw", usage=factory.key_usage("digital_signature", "key_cert_sign"))),
        Reason.KEY_USAGE,
        "gw",
    ),
    (
        "codeSigning",
        lambda: Chain(factory.leaf(CA, "gw", usages=[factory.CODE_SIGNING])),
        Reason.EXTENDED_KEY_USAGE,
        "gw",
    ),
    (
        "TLS only",
        lambda: Chain(factory.leaf(CA, "gw", usages=[ExtendedKeyUsageOID.SERVER_AUTH])),
        Reason.EXTENDED_KEY_USAGE,
        "gw",
    ),
    (
        "weak RSA key",
        lambda: Chain(factory.leaf(CA, "gw", key=factory.rsa_key("weak", 1024))),
        Reason.WEAK_KEY,
        "1024",
    ),
    (
        "weak curve",
        lambda: Chain(factory.leaf(CA, "gw", key=factory.ec_key(curve=ec.SECP224R1))),
        Reason.WEAK_KEY,
        "secp224r1",
    ),
    ("SHA-1", lambda: Chain(_signed_with_sha1()), Reason.UNSUPPORTED_ALGORITHM, "sha1"),
    (
        "unknown signature algorithm",
        lambda: Chain(factory.resigned(factory.leaf(CA, "gw"), CA, algorithm=factory.UNKNOWN_WITH_RSA)),
        Reason.UNSUPPORTED_ALGORITHM,
        "1.2.840.113549.1.1.127",
    ),
    ("version 1", lambda: Chain(_of_version_1()), Reason.MALFORMED, "version 1"),
    (
        "unknown critical extension",
        lambda: Chain(factory.leaf(CA, "gw", extensions=[(UNKNOWN_EXTENSION, True)])),
        Reason.REFUSED,
        "gw",
    ),
    ("NUL in a name", lambda: Chain(_with_nul()), Reason.MALFORMED, "gw"),
    ("serial of zero", lambda: Chain(_with_serial_zero()), Reason.MALFORMED, "serial"),
    ("nothing", lambda: Chain(b""), Reason.MALFORMED, "cannot be read"),
    ("bytes after", lambda: Chain(factory.leaf(CA, "gw").der + b"\0"), Reason.MALFORMED, "bytes after"),
    ("huge", lambda: Chain(bytes(40000)), Reason.MALFORMED, "40000 bytes"),
]  # fmt: skip


def _below_with_1024_bits() -> Issued:
    return factory.authority("Weak", CA, key=factory.rsa_key("weak", 1024))


def _signed_with_sha1() -> bytes:
    return factory.resigned(factory.leaf(CA, "gw"), CA, algorithm=factory.SHA1_WITH_RSA)


def _of_version_1() -> bytes:
    leaf = factory.leaf(CA, "gw", constraints=None, usage=None, usages=())
    return factory.without_extensions(leaf, CA)


def _with_nul() -> bytes:
    return factory.resigned(
        factory.leaf(CA, "gw.example.org", subject="gw"), CA, b"gw.example.org", b"gw\0example.org"
    )


def _with_serial_zero() -> bytes:
    leaf = factory.leaf(CA, "gw")
    serial = leaf.certificate.serial_number.to_bytes(20, "big").lstrip(b"\0")
    return factory.resigned(leaf, CA, serial, bytes(len(serial)))


@pytest.mark.parametrize(
    ("make", "reason", "named"), [row[1:] for row in REFUSED], ids=[row[0].replace(" ", "-") for row in REFUSED]
)
def test_refused(make: Callable[[], Chain], reason: Reason, named: str) -> None:
    broken = make()
    anchors = [CA] if reason is Reason.UNKNOWN_AUTHORITY else [CA, OTHER_CA]
    with pytest.raises(ChainError) as caught:
        validate(broken.leaf, *broken.others, anchors=anchors)
    assert caught.value.reason is reason
    assert named in str(caught.value)


def test_an_expired_anchor_is_named() -> None:
    anchor = factory.authority("Old CA", key="old-ca", not_after=NOW - DAY)
    with pytest.raises(ChainError) as caught:
        validate(factory.leaf(anchor, "gw"), anchors=[anchor])
    assert caught.value.reason is Reason.EXPIRED
    assert "Old CA" in str(caught.value)


def test_no_anchor_at_all() -> None:
    with pytest.raises(ChainError) as caught:
        validate(factory.leaf(CA, "gw"), anchors=[])
    assert caught.value.reason is Reason.UNKNOWN_AUTHORITY


def test_an_intermediate_may_not_take_the_name_of_another_configured_authority() -> None:
    """The policy that trusts Other CA by name would believe whatever this one signs."""
    impostor = factory.authority("Other CA", CA, key="upper")
    leaf = factory.leaf(impostor, "gw.example.org")
    with pytest.raises(ChainError) as caught:
        validate(leaf, impostor, anchors=[CA, OTHER_CA])
    assert caught.value.reason is Reason.BAD_SIGNATURE
    assert "another authority has the same name" in caught.value.hint
    assert subjects(validate(leaf, impostor, anchors=[CA])) == ["gw.example.org", "Other CA", "Test CA"]


def test_usages_can_be_widened() -> None:
    server = ExtendedKeyUsageOID.SERVER_AUTH
    leaf = factory.leaf(CA, "gw", usages=[server])
    chain.validate(leaf.der, [], TrustAnchors([CA.certificate]), NOW, usages=chain.IKE_USAGES | {server})


def test_too_many_certificates() -> None:
    with pytest.raises(ChainError, match="sent 9 certificates"):
        validate(factory.leaf(CA, "gw"), *[OTHER_CA] * 9)


def test_the_common_name_certifies_nobody() -> None:
    assert validate(factory.leaf(CA, subject="gw.example.org")).leaf.names == ()


def test_names_that_are_nobodys_identity_are_left_out() -> None:
    leaf = factory.leaf(CA, "gw.example.org", general_names=[x509.DNSName("*.example.org"), NET, DIRECTORY])
    assert validate(leaf).leaf.names == (("FQDN", "gw.example.org"),)


@pytest.mark.parametrize("common_name", ["Test CA", "test  CA"])
def test_two_authorities_of_one_name(common_name: str) -> None:
    namesake = factory.authority(common_name, key="other-ca")
    with pytest.raises(ChainError) as caught:
        TrustAnchors([CA.certificate, namesake.certificate])
    assert caught.value.reason is Reason.AMBIGUOUS_AUTHORITY


def test_one_authority_with_two_certificates() -> None:
    renewed = factory.authority(not_before=NOW, not_after=NOW + 2 * DAY)
    anchors = TrustAnchors([CA.certificate, renewed.certificate, CA.certificate])
    assert len(anchors.certificates) == 2
    chain.validate(factory.leaf(CA, "gw").der, [], anchors, NOW)


@pytest.mark.parametrize(
    ("anchor", "reason"),
    [
        (factory.leaf(CA, "gw"), Reason.ISSUER_NOT_CA),
        (factory.authority(constraints=None), Reason.ISSUER_NOT_CA),
        (factory.authority(usage=factory.SIGNS), Reason.KEY_USAGE),
        (factory.authority(key=factory.rsa_key("weak", 1024)), Reason.WEAK_KEY),
        (factory.authority(x509.Name([])), Reason.EMPTY_SUBJECT),
    ],
)
def test_what_cannot_be_an_anchor(anchor: Issued, reason: Reason) -> None:
    with pytest.raises(ChainError) as caught:
        TrustAnchors([anchor.certificate])
    assert caught.value.reason is reason


def test_a_dsa_key_is_refused() -> None:
    key = dsa.generate_private_key(1024)
    leaf = factory.leaf(CA, "gw", key=key)  # type: ignore[arg-type]
    with pytest.raises(ChainError) as caught:
        validate(leaf)
    assert caught.value.reason is Reason.WEAK_KEY


def test_every_refusal_is_one_printable_line() -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gw\n\x1b[31m\u202e")])
    with pytest.raises(ChainError) as caught:
        validate(factory.leaf(OTHER_CA, "gw", subject=subject))
    assert str(caught.value).isprintable()
    assert r"gw\x0A\x1B[31m\xE2\x80\xAE" in str(caught.value)


GOOD = factory.leaf(CA, "gw.example.org", "192.0.2.1").der
TRUST = TrustAnchors([CA.certificate])
mutations = st.lists(
    st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.sampled_from(["set", "cut", "insert"])),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, changes: list[tuple[int, int, str]]) -> bytes:
    for at, byte, how in changes:
        match how:
            case "set":
                data = data[:at] + bytes([byte]) + data[at + 1 :]
            case "cut":
                data = data[:at] + data[at + 1 + byte % 4 :]
            case "insert":
                data = data[:at] + bytes([byte]) + data[at:]
    return data


def refused_or_good(leaf: bytes, intermediates: list[bytes], trust: TrustAnchors) -> None:
    refused = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            validated = chain.validate(leaf, intermediates, trust, NOW)
        except ChainError as error:
            refused = str(error)
    assert refused.isprintable()
    assert refused or (validated.leaf.der == leaf and len(validated.certificates) >= 2)


# Invariant: whatever a peer sends, the answer is a chain or a ChainError of one printable line.
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes(leaf: bytes, intermediates: list[bytes]) -> None:
    refused_or_good(leaf, intermediates, TRUST)


# Invariant: no change to a certificate's bytes leaves it valid: everything in it is signed.
@settings(max_examples=700, deadline=None)
@given(mutations)
def test_mutated_certificates(changes: list[tuple[int, int, str]]) -> None:
    mutated = mutate(GOOD, changes)
    if mutated != GOOD:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ChainError) as caught:
                chain.validate(mutated, [], TRUST, NOW)
        assert str(caught.value).isprintable()


# Invariant: the same when the altered bytes are signed, as by an authority that signs whatever it is given.
@settings(max_examples=300, deadline=None)
@given(mutations)
def test_mutated_and_signed_certificates(changes: list[tuple[int, int, str]]) -> None:
    refused_or_good(factory.signed(mutate(factory.tbs(GOOD), changes), CA), [], TRUST)


BELOW_DER = _below().der
LEAF_BELOW = factory.leaf(_below(), "gw.example.org").der


# Invariant: an authority between that is altered is an authority no more.
@settings(max_examples=200, deadline=None)
@given(mutations)
def test_mutated_intermediates(changes: list[tuple[int, int, str]]) -> None:
    mutated = mutate(BELOW_DER, changes)
    if mutated != BELOW_DER:
        with pytest.raises(ChainError):
            chain.validate(LEAF_BELOW, [mutated], TRUST, NOW)


# --- a chain that held is remembered, for as long as it holds


def test_a_chain_is_remembered_while_all_of_it_is_valid() -> None:
    ca = factory.authority()
    soon = NOW + datetime.timedelta(days=1)
    leaf = factory.leaf(ca, "gw.example.org", not_before=NOW - datetime.timedelta(days=1), not_after=soon)
    anchors = TrustAnchors([ca.certificate])
    first = chain.validate(leaf.der, (), anchors, NOW)
    assert chain.validate(leaf.der, (), anchors, NOW) is first
    for moment in (soon + datetime.timedelta(seconds=1), NOW - datetime.timedelta(days=2)):
        with pytest.raises(ChainError):
            chain.validate(leaf.der, (), anchors, moment)
    assert chain.validate(leaf.der, (), TrustAnchors([ca.certificate]), NOW) is not first


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_MAX_REMEMBERED", 2)
    ca = factory.authority()
    leaves = [factory.leaf(ca, f"gw{number}.example.org") for number in range(3)]
    anchors = TrustAnchors([ca.certificate])
    held = [chain.validate(leaf.der, (), anchors, NOW) for leaf in leaves]
    assert chain.validate(leaves[2].der, (), anchors, NOW) is held[2]
    assert chain.validate(leaves[0].der, (), anchors, NOW) is not held[0]
