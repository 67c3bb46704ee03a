# SPDX-License-Identifier: ISC
"""Each code: a certificate that has it, and a near one that does not."""

import datetime
import ipaddress
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from keynote.severity import Severity
from pki import chain_certificates, der
from pki.certificate_lint import CHECKS, Platform, Role, advice, guessed_role, lint, unreadable
from pki.certificate_lint.rfc_ike import message_size
from pki.certificate_lint.subjects import Subject
from pki.chain_certificates import ChainError, ReadCertificate
from pki.chain_rules import ANY_EXTENDED_KEY_USAGE, IKE_INTERMEDIATE
from tests.pki import factory
from tests.pki.factory import DAY, IPSEC_IKE, NOW, Issued, key_usage

SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
ALL_USAGES = (IPSEC_IKE, IKE_INTERMEDIATE, SERVER_AUTH, CLIENT_AUTH)
MD5_WITH_RSA = bytes.fromhex("2a864886f70d010104")
CA = factory.authority()
OTHER_KEY = factory.authority(key="other-ca")
ED25519 = ed25519.Ed25519PrivateKey.generate()
Names = Sequence[x509.GeneralName]


def leaf(*identities: str, issuer: Issued = CA, **changes: object) -> Issued:
    """A certificate with which nothing is wrong anywhere, but for the changes."""
    usual: dict[str, object] = {"usages": ALL_USAGES, "not_before": NOW - DAY, "not_after": NOW + 365 * DAY}
    return factory.leaf(issuer, *identities, **{**usual, **changes})  # type: ignore[arg-type]


def read(found: Issued | bytes) -> ReadCertificate:
    return chain_certificates.load(found if isinstance(found, bytes) else found.der)


def gateway(found: Issued | bytes, issuer: Issued | None = CA, now: datetime.datetime = NOW) -> Subject:
    return Subject.of(read(found), Role.GATEWAY, None if issuer is None else read(issuer), now)


def client(found: Issued | bytes) -> Subject:
    return Subject.of(read(found), Role.CLIENT, read(CA), NOW)


def authority(found: Issued | bytes) -> Subject:
    return Subject.of(read(found), Role.AUTHORITY, None, NOW)


def with_serial(issued: Issued, octets: bytes) -> bytes:
    whole = factory.tbs(issued.der)
    at, end = der.expect(whole, 0, len(whole), der.SEQUENCE)
    _, _, serial = der.element(whole, at, end)
    _, _, rest = der.element(whole, serial, end)
    number = der.encode(der.INTEGER, octets)
    return factory.signed(der.encode(der.SEQUENCE, whole[at:serial] + number + whole[rest:end]), CA)


def crl_at(*uris: str) -> x509.CRLDistributionPoints:
    names = [x509.UniformResourceIdentifier(uri) for uri in uris]
    return x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])


def issuer_at(uri: str) -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier(uri)
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, location)]
    )


def constrained(permitted: Names | None = None, excluded: Names | None = None, critical: bool = True) -> Issued:
    return factory.authority(extensions=[(x509.NameConstraints(permitted, excluded), critical)])


def unknown(critical: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical


def addressed(*texts: str, host: str = "") -> Issued:
    hosts = [x509.DNSName(host)] if host else []
    return leaf(general_names=[*(x509.IPAddress(ipaddress.ip_address(text)) for text in texts), *hosts])


GOOD = leaf("gw.example.org")
ALICE = leaf("alice@example.org")
BARE = leaf(subject="gw")  # no subjectAltName
ELLIPTIC = leaf("gw.example.org", key=factory.ec_key())
EDWARDS = leaf("gw.example.org", key=ED25519)
DIRECTORY_NAME = x509.DirectoryName(factory.name("gw"))
DNS = x509.DNSName("example.org")
URI = x509.UniformResourceIdentifier("https://example.org")
V1 = factory.without_extensions(GOOD, CA)
EMPTY = x509.Name([])
NAMELESS = factory.authority(EMPTY)
OLD = datetime.datetime(2019, 1, 1, tzinfo=datetime.UTC)
MANY = [x509.DNSName(f"{number:03}{'x' * 37}.example.org") for number in range(60)]
SHA1 = factory.resigned(GOOD, CA, algorithm=factory.SHA1_WITH_RSA)
MAIL_SUBJECT = factory.name("gw.example.org", EMAIL_ADDRESS="noc@example.org")
UTC_TIME = f"{NOW + 365 * DAY:%y%m%d%H%M%SZ}".encode()
PK404_OTHER = factory.authority("Other CA", key="ca")
SHORT = factory.rsa_key("short", 1024)

# code: (what has it, what is near)
CASES: dict[str, tuple[Subject, Subject]] = {
    "PK101": (gateway(V1), gateway(GOOD)),
    "PK102": (gateway(with_serial(GOOD, b"\x01" * 21)), gateway(with_serial(GOOD, b"\x01" * 20))),
    "PK103": (gateway(factory.resigned(GOOD, CA, UTC_TIME, b"200101000000Z")), gateway(GOOD)),
    "PK104": (gateway(GOOD, now=NOW + 366 * DAY), gateway(GOOD, now=NOW + 365 * DAY)),
    "PK105": (gateway(GOOD, now=NOW + 336 * DAY), gateway(GOOD, now=NOW + 335 * DAY)),
    "PK106": (authority(constrained([DNS], critical=False)), authority(constrained([DNS]))),
    "PK107": (
        gateway(leaf("gw.example.org", usage=None, extensions=[(factory.SIGNS, False)])),
        gateway(leaf("gw.example.org", usage=None, extensions=[(factory.SIGNS, True)])),
    ),
    "PK108": (
        gateway(leaf("gw.example.org", extensions=[unknown(True)])),
        gateway(leaf("gw.example.org", extensions=[unknown(False)])),
    ),
    "PK109": (gateway(leaf("gw.example.org", usage=key_usage())), gateway(leaf("gw.example.org", usage=None))),
    "PK110": (authority(factory.authority(usage=key_usage("crl_sign"))), authority(CA)),
    "PK111": (
        gateway(leaf("gw.example.org", usage=key_usage("digital_signature", "key_cert_sign"))),
        gateway(leaf("gw.example.org", usage=key_usage("digital_signature", "key_agreement"))),
    ),
    "PK112": (
        gateway(leaf("gw.example.org", extensions=[(x509.NameConstraints([DNS], None), True)])),
        authority(constrained([DNS])),
    ),
    "PK113": (
        gateway(
            leaf("gw.example.org", key=factory.ec_key(), usage=key_usage("digital_signature", "key_encipherment"))
        ),
        gateway(leaf("gw.example.org", usage=key_usage("digital_signature", "key_encipherment"))),
    ),
    "PK114": (gateway(factory.resigned(GOOD, CA, algorithm=MD5_WITH_RSA)), gateway(SHA1)),
    "PK115": (gateway(SHA1), gateway(GOOD)),
    "PK116": (gateway(leaf("gw.example.org", key=SHORT)), gateway(GOOD)),
    "PK117": (
        gateway(leaf("gw.example.org", extensions=[(crl_at("ftp://example.org/ca.crl"), False)])),
        gateway(leaf("gw.example.org", extensions=[(crl_at("ftp://a.example", "http://b.example"), False)])),
    ),
    "PK118": (
        gateway(leaf("gw.example.org", extensions=[(issuer_at("https://example.org/ca.crt"), False)])),
        gateway(leaf("gw.example.org", extensions=[(issuer_at("http://example.org/ca.crt"), False)])),
    ),
    "PK201": (gateway(leaf("gw.example.org", issuer=NAMELESS)), gateway(GOOD)),
    "PK202": (
        gateway(leaf("gw.example.org", subject=EMPTY)),
        gateway(leaf(subject=EMPTY, extensions=[(x509.SubjectAlternativeName([DNS]), True)])),
    ),
    "PK203": (gateway(leaf(subject="gw", extensions=[(x509.SubjectAlternativeName([DNS]), True)])), gateway(GOOD)),
    "PK204": (gateway(leaf(general_names=[URI])), gateway(GOOD)),
    "PK205": (
        gateway(leaf(general_names=[x509.DNSName("gw_1.example.org")])),
        gateway(leaf(general_names=[x509.DNSName("gw-1.example.org")])),
    ),
    "PK206": (gateway(leaf(general_names=[x509.DNSName("*.example.org")])), gateway(GOOD)),
    "PK207": (gateway(addressed("224.0.0.1")), gateway(addressed("192.0.2.1"))),
    "PK208": (gateway(addressed(host="192.0.2.1")), gateway(addressed("192.0.2.1", host="192.0.2.1"))),
    "PK209": (gateway(leaf("gw.example.org", general_names=[URI])), gateway(GOOD)),
    "PK210": (
        gateway(leaf("gw.example.org", subject=MAIL_SUBJECT)),
        gateway(leaf("gw.example.org", "noc@example.org", subject=MAIL_SUBJECT)),
    ),
    "PK211": (gateway(leaf("gw.example.org", subject="vpn.example.org")), gateway(leaf("gw", subject="Gateway 1"))),
    "PK212": (gateway(factory.resigned(GOOD, CA, b"\x0c\x04Test1", b"\x14\x04Test1")), gateway(GOOD)),
    "PK301": (
        gateway(leaf("gw.example.org", usage=key_usage("key_encipherment"))),
        gateway(leaf("gw.example.org", usage=key_usage("content_commitment"))),
    ),
    "PK302": (
        gateway(leaf("gw.example.org", usages=[SERVER_AUTH])),
        gateway(leaf("gw.example.org", usages=[SERVER_AUTH, ANY_EXTENDED_KEY_USAGE])),
    ),
    "PK303": (
        gateway(leaf("gw.example.org", usages=[x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6")])),
        gateway(leaf("gw.example.org", usages=[IPSEC_IKE])),
    ),
    "PK304": (gateway(leaf("gw.example.org", general_names=MANY[:12])), gateway(GOOD)),
    "PK305": (
        gateway(leaf("gw.example.org", general_names=MANY)),
        gateway(leaf("gw.example.org", general_names=MANY[:12])),
    ),
    "PK306": (authority(constrained([URI])), authority(constrained([DNS]))),
    "PK401": (gateway(V1), gateway(GOOD)),
    "PK402": (gateway(V1), gateway(GOOD)),
    "PK403": (gateway(GOOD, OTHER_KEY), gateway(GOOD)),
    "PK404": (gateway(GOOD, PK404_OTHER), gateway(GOOD)),
    "PK405": (gateway(GOOD, OTHER_KEY), gateway(SHA1)),
    "PK406": (
        gateway(leaf("gw.example.org", not_after=factory.NOT_AFTER + DAY)),
        gateway(leaf("gw.example.org", not_after=factory.NOT_AFTER)),
    ),
    "PK501": (gateway(leaf("gw.example.org", usages=[SERVER_AUTH])), gateway(GOOD)),
    "PK502": (gateway(leaf("gw.example.org", subject="test ca")), gateway(leaf("gw.example.org", subject="Test"))),
    "PK503": (gateway(ELLIPTIC), gateway(GOOD)),
    "PK504": (gateway(factory.resigned(GOOD, CA, b"\x0c\x04Test1", b"\x13\x04Test1")), gateway(GOOD)),
    "PK601": (
        gateway(leaf("gw.example.org", usages=[IPSEC_IKE])),
        client(leaf("alice@example.org", usages=[IPSEC_IKE])),
    ),
    "PK602": (gateway(ALICE), gateway(GOOD)),
    "PK603": (
        gateway(leaf("gw.example.org", not_before=NOW - DAY, not_after=NOW + 825 * DAY)),
        gateway(leaf("gw.example.org", not_before=OLD, not_after=NOW + 825 * DAY)),
    ),
    "PK604": (gateway(leaf("gw.example.org", key=SHORT)), client(leaf("alice@example.org", key=SHORT))),
    "PK605": (gateway(ELLIPTIC), client(ELLIPTIC)),
    "PK606": (client(ELLIPTIC), gateway(ELLIPTIC)),
    "PK607": (
        gateway(leaf("gw.example.org", key=ed448.Ed448PrivateKey.generate())),
        gateway(EDWARDS),
    ),
    "PK608": (gateway(addressed("192.0.2.1")), gateway(addressed("192.0.2.1", host="192.0.2.1"))),
    "PK609": (
        authority(constrained(excluded=[x509.IPAddress(ipaddress.ip_network("::/0"))])),
        authority(constrained(excluded=[x509.IPAddress(ipaddress.ip_network("2001:db8::/32"))])),
    ),
    "PK701": (gateway(leaf("gw.example.org", usages=[])), gateway(leaf("gw.example.org", usages=[SERVER_AUTH]))),
    "PK702": (gateway(addressed("192.0.2.1")), gateway(leaf("alice@example.org", subject="gw.example.org"))),
    "PK703": (gateway(addressed("192.0.2.1")), gateway(addressed("192.0.2.1", host="192.0.2.1"))),
    "PK704": (
        client(leaf("alice@example.org", usages=[IPSEC_IKE])),
        client(leaf("alice@example.org", usages=[IPSEC_IKE, CLIENT_AUTH])),
    ),
    "PK705": (gateway(leaf("gw.example.org", usages=[IPSEC_IKE, SERVER_AUTH])), gateway(GOOD)),
    "PK706": (gateway(leaf("gw.example.org", usage=key_usage("content_commitment"))), gateway(GOOD)),
    "PK707": (gateway(EDWARDS), gateway(ELLIPTIC)),
    "PK708": (gateway(ELLIPTIC), gateway(EDWARDS)),
    "PK801": (gateway(BARE), client(BARE)),
    "PK802": (client(ELLIPTIC), client(ALICE)),
    "PK803": (gateway(leaf(general_names=[x509.DNSName("GW.example.org")])), gateway(GOOD)),
    "PK901": (gateway(BARE), gateway(GOOD)),
    "PK902": (
        authority(constrained(excluded=[DIRECTORY_NAME])),
        authority(constrained(permitted=[DIRECTORY_NAME])),
    ),
    "PK903": (authority(constrained([DNS])), authority(constrained([DNS], critical=False))),
    "PK904": (
        gateway(EDWARDS),
        gateway(leaf("gw.example.org", key=factory.ec_key("p521", ec.SECP521R1))),
    ),
    "PK921": (gateway(BARE), gateway(GOOD)),
    "PK922": (
        gateway(leaf("gw.example.org", usages=[SERVER_AUTH])),
        gateway(leaf("gw.example.org", usages=[SERVER_AUTH, IPSEC_IKE])),
    ),
    "PK923": (gateway(EDWARDS), gateway(ELLIPTIC)),
    "PK941": (gateway(ELLIPTIC), gateway(GOOD)),
    "PK942": (gateway(BARE), gateway(leaf(general_names=[URI]))),
    "PK943": (gateway(leaf("a.example.org", "b.example.org")), gateway(leaf("a.example.org", "192.0.2.1"))),
    "PK944": (
        gateway(leaf(general_names=[DIRECTORY_NAME, DNS])),
        gateway(leaf(general_names=[URI, DNS, DIRECTORY_NAME])),
    ),
    "PK961": (gateway(ELLIPTIC), gateway(GOOD)),
    "PK962": (gateway(BARE), gateway(GOOD)),
    "PK963": (gateway(leaf("gw.example.org", "192.0.2.1")), gateway(GOOD)),
}


def codes(subject: Subject) -> set[str]:
    found = lint(subject.certificate, subject.issuer, role=subject.role, now=subject.now)
    return {finding.code for finding in found}


@pytest.mark.parametrize("code", CASES)
def test_what_has_it_and_what_is_near(code: str) -> None:
    bad, near = CASES[code]
    assert code in codes(bad)
    assert code not in codes(near)


def test_every_code_has_its_case() -> None:
    assert {*CASES, "PK100"} == set(CHECKS)


@pytest.mark.parametrize("subject", [gateway(GOOD), client(ALICE), authority(CA)], ids=["gateway", "client", "ca"])
def test_nothing_is_wrong_with_a_good_one(subject: Subject) -> None:
    assert codes(subject) == set()


def test_what_cannot_be_read() -> None:
    with pytest.raises(ChainError) as error:
        chain_certificates.load(GOOD.der[:-1])
    finding = unreadable(error.value)
    assert (finding.code, finding.severity) == ("PK100", Severity.ERROR)
    assert "cannot be read" in finding.message


def test_only_what_was_asked_for_and_the_rfcs() -> None:
    certificate = read(leaf("gw.example.org", usages=[SERVER_AUTH], subject="vpn.example.org"))
    found = lint(certificate, platforms=[Platform.LIBRESWAN])
    assert {finding.platform for finding in found} == {Platform.RFC, Platform.LIBRESWAN}
    assert [finding.severity for finding in found] == sorted((f.severity for f in found), reverse=True)


def test_a_signature_that_is_nobodys_is_not_looked_at() -> None:
    found = lint(read(SHA1), read(OTHER_KEY), signed=False)
    assert not {"PK115", "PK405", "PK604"} & {finding.code for finding in found}


def test_without_a_time_validity_is_not_looked_at() -> None:
    assert lint(read(leaf("gw.example.org", not_after=NOW)), read(CA)) == ()


@pytest.mark.parametrize(
    ("certificate", "role"),
    [
        (CA, Role.AUTHORITY),
        (leaf("gw.example.org", usages=[CLIENT_AUTH]), Role.CLIENT),
        (leaf("alice@example.org", usages=[SERVER_AUTH]), Role.GATEWAY),
        (ALICE, Role.CLIENT),
        (GOOD, Role.GATEWAY),
        (BARE, Role.GATEWAY),
    ],
)
def test_guessed_roles(certificate: Issued, role: Role) -> None:
    assert guessed_role(read(certificate)) is role


def test_an_authority_that_is_to_be_a_peer() -> None:
    assert "PK501" in codes(gateway(CA, None))


def test_advice_is_of_the_platforms_alone_and_no_small_talk() -> None:
    certificate = read(leaf("gw.example.org", "192.0.2.1", usages=[IPSEC_IKE]))
    found = advice(certificate, read(CA), platforms=[Platform.WINDOWS, Platform.ISAKMPD, Platform.RFC])
    assert [finding.code for finding in found] == ["PK701", "PK703"]


@pytest.mark.parametrize("key", [factory.rsa_key("leaf"), factory.ec_key(), ED25519])
def test_the_size_of_a_message_is_at_least_that_of_its_parts(key: factory.PrivateKey) -> None:
    found = leaf("gw.example.org", key=key)
    assert len(found.der) + 64 < message_size(gateway(found)) < len(found.der) + 400


def test_a_finding_tells_where_and_what_to_do() -> None:
    (finding,) = advice(read(leaf("gw", usages=[IPSEC_IKE])), platforms=[Platform.WINDOWS])
    assert str(finding) == "error: windows: no serverAuth among its extended key usages [PK701]"
    assert "13801" in finding.fails
    assert set(finding.data()) == {"code", "severity", "platform", "message", "fails", "hint", "source"}


def test_what_a_name_has_does_not_reach_the_terminal_as_it_is() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a\x1b[31m@example.org")])
    found = lint(read(leaf("gw.example.org", subject=name)))
    assert any("\\x1b" in finding.message for finding in found)
    assert all(finding.message.isprintable() for finding in found)


@pytest.mark.parametrize(
    "issued", [GOOD, CA, constrained([DNS], [DIRECTORY_NAME])], ids=["gateway", "ca", "constrained"]
)
def test_no_certificate_that_can_be_read_is_too_odd(issued: Issued) -> None:
    readable = 0
    for position in range(0, len(issued.der), 3):
        odd = bytearray(issued.der)
        odd[position] ^= 1 + position % 255
        try:
            certificate = chain_certificates.load(bytes(odd))
        except ChainError:
            continue
        readable += 1
        assert lint(certificate, read(CA), now=NOW)  # at least the signature is wrong
    assert readable > 50
