# SPDX-License-Identifier: ISC
"""Certificates for tests, good ones unless asked otherwise: every property can be spoilt on its own.

    ca = factory.authority()
    gateway = factory.leaf(ca, "gw.example.org")
    expired = factory.leaf(ca, "gw.example.org", not_after=factory.NOW - factory.DAY)

Keys are made once a session and shared by `key=` label, since making RSA keys is slow: two certificates with
different labels have different keys.
"""

import datetime
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pki import der, names

NOW = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
# Wide enough for tests that run by the real clock.
NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
NOT_AFTER = datetime.datetime(2049, 12, 1, tzinfo=datetime.UTC)

IPSEC_IKE = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.17")
CODE_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.3")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@functools.cache
def rsa_key(label: str = "a", bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key for each label and size, for the whole session."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ec_key(label: str = "a", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """One EC key for each label and curve."""
    return ec.generate_private_key(curve())


def name(common_name: str, **attributes: str) -> x509.Name:
    """`/C=XX/O=Test/CN=…` or with other attributes before the common name."""
    before = attributes or {"COUNTRY_NAME": "XX", "ORGANIZATION_NAME": "Test"}
    return x509.Name(
        [x509.NameAttribute(getattr(NameOID, kind), value) for kind, value in before.items()]
        + [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def key_usage(*allowed: str) -> x509.KeyUsage:
    """A keyUsage with these bits: `key_usage("digital_signature")`."""
    bits = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    assert set(allowed) <= set(bits)
    return x509.KeyUsage(**{bit: bit in allowed for bit in bits})


IS_AUTHORITY = x509.BasicConstraints(ca=True, path_length=None)
IS_NO_AUTHORITY = x509.BasicConstraints(ca=False, path_length=None)
SIGNS_CERTIFICATES = key_usage("key_cert_sign", "crl_sign")
SIGNS = key_usage("digital_signature")


def authority(
    subject: str | x509.Name = "Test CA",
    issuer: Issued | None = None,
    *,
    key: PrivateKey | str = "ca",
    not_before: datetime.datetime = NOT_BEFORE,
    not_after: datetime.datetime = NOT_AFTER,
    constraints: x509.BasicConstraints | None = IS_AUTHORITY,
    usage: x509.KeyUsage | None = SIGNS_CERTIFICATES,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """A self-signed authority, or one below `issuer`."""
    return certificate(
        subject,
        issuer,
        key=key,
        not_before=not_before,
        not_after=not_after,
        extensions=[
            *([] if constraints is None else [(constraints, True)]),
            *([] if usage is None else [(usage, True)]),
            *extensions,
        ],
    )


def leaf(
    issuer: Issued,
    *identities: str,
    subject: str | x509.Name | None = None,
    key: PrivateKey | str = "leaf",
    not_before: datetime.datetime = NOT_BEFORE,
    not_after: datetime.datetime = NOT_AFTER,
    constraints: x509.BasicConstraints | None = IS_NO_AUTHORITY,
    usage: x509.KeyUsage | None = SIGNS,
    usages: Sequence[x509.ObjectIdentifier] = (IPSEC_IKE,),
    general_names: Sequence[x509.GeneralName] = (),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """A peer's certificate: `identities` become subjectAltNames of the kind they look like, `general_names` follow as
    they are. The common name is the first identity, unless there is a `subject`."""
    alternatives = [*(names.general_name(names.identity(text)) for text in identities), *general_names]
    return certificate(
        subject if subject is not None else (identities[0] if identities else "somebody"),
        issuer,
        key=key,
        not_before=not_before,
        not_after=not_after,
        extensions=[
            *([] if constraints is None else [(constraints, True)]),
            *([] if usage is None else [(usage, True)]),
            *([(x509.ExtendedKeyUsage(usages), False)] if usages else []),
            *([(x509.SubjectAlternativeName(alternatives), False)] if alternatives else []),
            *extensions,
        ],
    )


def certificate(
    subject: str | x509.Name,
    issuer: Issued | None,
    *,
    key: PrivateKey | str,
    not_before: datetime.datetime,
    not_after: datetime.datetime,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> Issued:
    """Any certificate: key identifiers are added, all else is as given."""
    own = rsa_key(key) if isinstance(key, str) else key
    subject_name = name(subject) if isinstance(subject, str) else subject
    signer = issuer.key if issuer is not None else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject_name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, digest), own)


SHA256 = hashes.SHA256()
SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
SHA384_WITH_RSA = bytes.fromhex("2a864886f70d01010c")
SHA1_WITH_RSA = bytes.fromhex("2a864886f70d010105")
MD5_WITH_RSA = bytes.fromhex("2a864886f70d010104")
_DIGESTS = {SHA1_WITH_RSA: hashes.SHA1(), MD5_WITH_RSA: hashes.MD5(), SHA384_WITH_RSA: hashes.SHA384()}
UNKNOWN_WITH_RSA = bytes.fromhex("2a864886f70d01017f")


def resigned(
    issued: Issued, issuer: Issued, replace: bytes = b"", by: bytes = b"", algorithm: bytes = SHA256_WITH_RSA
) -> bytes:
    """The DER of a certificate with some bytes of what is signed replaced by as many others, signed anew: for what no
    library writes. It says that it is signed with `algorithm`."""
    assert len(replace) == len(by)
    whole = tbs(issued.der)
    assert replace in whole
    changed = whole.replace(replace, by) if replace else whole
    return signed(changed.replace(SHA256_WITH_RSA, algorithm), issuer, algorithm)


def without_extensions(issued: Issued, issuer: Issued) -> bytes:
    """The DER of a certificate as X.509 version 1, which had no extensions."""
    whole = tbs(issued.der)
    at, end = der.expect(whole, 0, len(whole), der.SEQUENCE)
    _, _, at = der.element(whole, at, end)  # the version
    begin = at
    for _ in range(6):  # serial number, algorithm, issuer, validity, subject, key
        _, _, at = der.element(whole, at, end)
    return signed(der.encode(der.SEQUENCE, whole[begin:at]), issuer)


def tbs(certificate_der: bytes) -> bytes:
    """What is signed of a certificate."""
    return der.slices(certificate_der).tbs


def signed(to_be_signed: bytes, issuer: Issued, algorithm: bytes = SHA256_WITH_RSA) -> bytes:
    """Any bytes, signed as if they were a certificate."""
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    signature = issuer.key.sign(to_be_signed, padding.PKCS1v15(), _DIGESTS.get(algorithm, SHA256))
    identifier = der.encode(der.SEQUENCE, der.encode(der.OBJECT_IDENTIFIER, algorithm) + b"\x05\x00")
    return der.encode(der.SEQUENCE, to_be_signed + identifier + der.encode(der.BIT_STRING, b"\0" + signature))
