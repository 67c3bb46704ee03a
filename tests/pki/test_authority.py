# SPDX-License-Identifier: ISC
import datetime
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import authority, chain, chain_certificates, der, lints, profiles
from pki.errors import LintFailed, NameInvalid, PkiError
from pki.keys import KeySigner
from pki.names import Identity, identity
from tests.pki import factory
from tests.pki.factory import DAY, NOW

SIGNER = KeySigner(factory.rsa_key("our-ca"))
SERIAL = 0x1234
GATEWAY_USAGES = list(profiles.GATEWAY.extended_key_usages)
HOUR = datetime.timedelta(hours=1)


def make_authority(name: str = "/C=DE/O=Example/CN=Example CA") -> x509.Certificate:
    prepared = authority.prepare_authority(authority.authority_name(name), SIGNER.public_key, SERIAL, NOW)
    return prepared.sign(SIGNER)


CA = make_authority()


def prepare(
    *texts: str,
    profile: profiles.Profile = profiles.GATEWAY,
    serial: int = SERIAL,
    now: datetime.datetime = NOW,
    lifetime: datetime.timedelta | None = None,
    issuer: x509.Certificate = CA,
) -> authority.Prepared:
    identities = tuple(identity(text) for text in texts)
    key = factory.rsa_key("leaf").public_key()
    return authority.prepare(profile, identities, key, issuer, serial, now, lifetime)


def value(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> tuple[x509.ExtensionType, bool]:
    extension = certificate.extensions.get_extension_for_class(kind)
    return extension.value, extension.critical


def test_an_authority() -> None:
    assert CA.subject == CA.issuer
    assert CA.subject.rfc4514_string() == "CN=Example CA,O=Example,C=DE"
    assert CA.serial_number == SERIAL
    assert (CA.not_valid_before_utc, CA.not_valid_after_utc) == (NOW - HOUR, NOW + 3650 * DAY)
    assert value(CA, x509.BasicConstraints) == (x509.BasicConstraints(ca=True, path_length=1), True)
    assert value(CA, x509.KeyUsage) == (factory.key_usage("key_cert_sign", "crl_sign"), True)
    CA.verify_directly_issued_by(CA)


def test_a_gateway() -> None:
    certificate = prepare("gw.example.org", "192.0.2.1").sign(SIGNER)
    assert certificate.subject.rfc4514_string() == "CN=gw.example.org,O=Example,C=DE"
    assert certificate.issuer.public_bytes() == CA.subject.public_bytes()
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (NOW - HOUR, NOW + 730 * DAY)
    assert value(certificate, x509.ExtendedKeyUsage) == (x509.ExtendedKeyUsage(GATEWAY_USAGES), False)
    assert value(certificate, x509.KeyUsage) == (factory.key_usage("digital_signature"), True)
    assert value(certificate, x509.BasicConstraints) == (x509.BasicConstraints(ca=False, path_length=None), True)
    names, critical = value(certificate, x509.SubjectAlternativeName)
    assert not critical
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["gw.example.org"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("profile", "texts"),
    [
        (profiles.GATEWAY, ["gw.example.org"]),
        (profiles.GATEWAY, ["192.0.2.1"]),
        (profiles.GATEWAY, ["2001:db8::1", "gw.example.org", "noc@example.org"]),
        (profiles.ROAD_WARRIOR, ["alice@example.org"]),
        (profiles.GATEWAY, [".".join(["x" * 49] * 5)]),  # longer than a common name may be
    ],
)
def test_what_we_issue_our_own_validation_accepts(profile: profiles.Profile, texts: list[str]) -> None:
    certificate = prepare(*texts, profile=profile).sign(SIGNER)
    validated = chain.validate(certificate.public_bytes(Encoding.DER), [], chain.TrustAnchors([CA]), NOW)
    assert validated.leaf.names == tuple(identity(text) for text in texts)


def test_exactly_what_was_rehearsed_is_signed() -> None:
    prepared = prepare("gw.example.org")
    certificate = prepared.sign(SIGNER)
    rehearsed = der.slices(prepared.certificate.der)
    assert certificate.tbs_certificate_bytes == rehearsed.tbs
    assert der.slices(certificate.public_bytes(Encoding.DER)).signature_algorithm == rehearsed.signature_algorithm
    assert certificate.signature != prepared.certificate.certificate.signature
    with pytest.raises(InvalidSignature):
        prepared.certificate.certificate.verify_directly_issued_by(CA)


def test_a_signer_that_signs_something_else_is_found() -> None:
    class Forger(KeySigner):
        def sign(self, data: bytes) -> bytes:
            return super().sign(data[:-1])

    with pytest.raises(PkiError, match="not one of this key"):
        prepare("gw.example.org").sign(Forger(SIGNER.key))


def test_a_signer_with_another_key_is_refused() -> None:
    with pytest.raises(PkiError, match="not the key of authority `/C=DE/O=Example/CN=Example CA`"):
        prepare("gw.example.org").sign(KeySigner(factory.rsa_key("leaf")))


def test_a_signer_does_not_show_its_key() -> None:
    assert "RSAPrivateKey" not in repr(SIGNER)


def test_nothing_outlives_its_authority() -> None:
    late = NOW + 3600 * DAY
    assert prepare("gw", now=late).sign(SIGNER).not_valid_after_utc == CA.not_valid_after_utc
    with pytest.raises(LintFailed, match="outlive its authority"):
        prepare("gw", now=late, lifetime=100 * DAY)


def test_nothing_begins_before_its_authority() -> None:
    assert prepare("gw", now=NOW - HOUR / 2).sign(SIGNER).not_valid_before_utc == CA.not_valid_before_utc


@pytest.mark.parametrize("now", [NOW - 2 * HOUR, NOW + 3651 * DAY])
def test_an_authority_issues_only_while_it_is_valid(now: datetime.datetime) -> None:
    with pytest.raises(PkiError, match="is not valid now"):
        prepare("gw", now=now)


@pytest.mark.parametrize(
    ("profile", "texts", "message"),
    [
        (profiles.ROAD_WARRIOR, ["gw.example.org"], "a road-warrior is not known by a name like `gw.example.org`"),
        (profiles.GATEWAY, ["alice@example.org"], "a gateway is not known by"),
        (profiles.GATEWAY, ["gw.example.org", "192.0.2.1", "192.0.2.1"], "names an identity twice"),
        (profiles.GATEWAY, ["gw_1.example.org"], "`gw_1.example.org` has a `_`"),
    ],
)
def test_linted_before_it_is_signed(profile: profiles.Profile, texts: list[str], message: str) -> None:
    with pytest.raises(LintFailed, match=message):
        prepare(*texts, profile=profile)


def test_a_peer_may_not_be_called_like_its_authority() -> None:
    issuer = make_authority("gw.example.org")
    with pytest.raises(LintFailed, match="bears the subject of its authority"):
        prepare("GW.example.org", issuer=issuer)


@pytest.mark.parametrize("serial", [0, -1, 1 << 159, 1 << 200])
def test_serial_numbers_that_rfc_5280_forbids(serial: int) -> None:
    with pytest.raises(PkiError, match="serial"):
        prepare("gw", serial=serial)


def test_no_identity() -> None:
    with pytest.raises(NameInvalid):
        prepare()


def test_too_long_a_lifetime() -> None:
    with pytest.raises(PkiError, match="too long"):
        authority.prepare_authority(authority.authority_name("x"), SIGNER.public_key, 1, NOW, 3_000_000 * DAY)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Example CA", "CN=Example CA"),
        ("Größe & Co", "CN=Größe & Co"),
        ("/C=DE/O=Example/CN=Example CA", "CN=Example CA,O=Example,C=DE"),
        ("DN:/DC=org/DC=example/CN=CA", "CN=CA,DC=example,DC=org"),
        (r"/O=A\x2FB/CN=CA", "CN=CA,O=A/B"),
        ("/CN=CA+OU=ops", "CN=CA+OU=ops"),
    ],
)
def test_names_of_authorities(text: str, shown: str) -> None:
    assert authority.authority_name(text).rfc4514_string() == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "a\nb",
        "x" * 65,
        "/CN=",
        "/C=DEU/CN=x",
        "/CN:printable=CA",
        "/XX=1",
        "/CN",
        "/",
        "/CN:der=0500",
        "\udc80",
    ],
)
def test_what_cannot_be_the_name_of_an_authority(text: str) -> None:
    with pytest.raises(NameInvalid):
        authority.authority_name(text)


def test_a_peers_name_has_the_organisation_of_its_authority_and_nothing_personal() -> None:
    issuer = authority.authority_name("/C=DE/O=Example/CN=CA/emailAddress=ca@example.org/serialNumber=7")
    name = authority.subject_name(issuer, (Identity("FQDN", "gw"),))
    assert name.rfc4514_string({NameOID.EMAIL_ADDRESS: "E"}) == "CN=gw,O=Example,C=DE"


def spoil(**changes: object) -> lints.Rehearsal:
    prepared = prepare("gw.example.org")
    good = lints.Rehearsal(prepared.certificate, prepared.profile, prepared.identities, prepared.issuer)
    lints.check(good)
    return replace(good, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"identities": ()}, "no subjectAltName"),
        ({"identities": (Identity("FQDN", "other"),)}, "not the identities that were asked for"),
        ({"issuer": chain_certificates.load(factory.authority().der)}, "is not the authority's subject"),
        (
            {"issuer": chain_certificates.load(factory.authority(CA.subject).der)},
            "authorityKeyIdentifier is not its authority's",
        ),
        ({"profile": profiles.CA}, "no authority's"),
        ({"profile": replace(profiles.GATEWAY, extended_key_usages=())}, "extended key usages are not those"),
        ({"profile": replace(profiles.GATEWAY, path_length=1)}, "basic constraints are not those"),
    ],
)
def test_a_rehearsal_that_is_not_what_was_meant(changes: dict[str, object], message: str) -> None:
    with pytest.raises(LintFailed, match=message):
        lints.check(spoil(**changes))


def test_a_subject_key_identifier_of_another_key() -> None:
    ca = factory.authority()
    leaf = factory.leaf(ca, "gw")
    digest = x509.SubjectKeyIdentifier.from_public_key(leaf.key.public_key()).digest
    loaded = chain_certificates.load(factory.resigned(leaf, ca, digest, bytes(20)))
    with pytest.raises(LintFailed, match="subjectKeyIdentifier is missing or not its key's"):
        lints.check(lints.Rehearsal(loaded, profiles.GATEWAY, loaded.names, chain_certificates.load(ca.der)))


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (factory.leaf(factory.authority(), "gw", usage=None, extensions=[(factory.SIGNS, False)]), "not critical"),
        (factory.leaf(factory.authority(), "gw", usages=[factory.CODE_SIGNING]), "other uses than IKE"),
        (factory.leaf(factory.authority(), "gw", key=factory.rsa_key("weak", 1024)), "unfit key"),
        (factory.leaf(factory.authority(not_before=NOW), "gw"), "begin before its authority"),
    ],
)
def test_lints_of_foreign_certificates(certificate: factory.Issued, message: str) -> None:
    loaded = chain_certificates.load(certificate.der)
    issuer = chain_certificates.load(factory.authority(not_before=NOW).der)
    with pytest.raises(LintFailed, match=message):
        lints.check(lints.Rehearsal(loaded, profiles.GATEWAY, loaded.names, issuer))
