# SPDX-License-Identifier: ISC
"""Revocation lists and OCSP responses for tests, good and fresh at `factory.NOW` unless asked otherwise."""

import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki import der
from tests.pki import factory
from tests.pki.factory import DAY, NOW, Issued

Extensions = Sequence[tuple[x509.ExtensionType, bool]]
KEY_COMPROMISE = x509.CRLReason(x509.ReasonFlags.key_compromise)
YESTERDAY = NOW - DAY


def entry(
    serial: int, extensions: Extensions = ((KEY_COMPROMISE, False),), at: datetime.datetime = YESTERDAY
) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def revocation_list(
    issuer: Issued,
    *revoked: Issued | x509.RevokedCertificate,
    key: factory.PrivateKey | None = None,
    number: int = 5,
    this_update: datetime.datetime = YESTERDAY,
    next_update: datetime.datetime = NOW + DAY,
    extensions: Extensions = (),
) -> bytes:
    """The DER of a list of what was revoked, signed by its issuer or with another `key`."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            entry(one.certificate.serial_number) if isinstance(one, Issued) else one
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key or issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def altered(signed: bytes) -> bytes:
    """One bit of the signature is another."""
    return signed[:-1] + bytes([signed[-1] ^ 1])


def resigned_list(crl: bytes, issuer: Issued, algorithm: bytes) -> bytes:
    """Signed with another algorithm, and says so in both places."""
    tbs = x509.load_der_x509_crl(crl).tbs_certlist_bytes
    return factory.signed(tbs.replace(factory.SHA256_WITH_RSA, algorithm), issuer, algorithm)


def without_next_update(crl: bytes, issuer: Issued) -> bytes:
    """RFC 5280 5.1.2.5 wants one; no library leaves it out."""
    tbs = x509.load_der_x509_crl(crl).tbs_certlist_bytes
    _, at, end = der.element(tbs, 0, len(tbs))
    kept, times = b"", 0
    while at < end:
        tag, _, stop = der.element(tbs, at, end)
        times += tag == 0x17
        if tag != 0x17 or times == 1:
            kept += tbs[at:stop]
        at = stop
    return factory.signed(der.encode(der.SEQUENCE, kept), issuer)


def staple(
    about: Issued,
    issuer: Issued,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    this_update: datetime.datetime = YESTERDAY,
    next_update: datetime.datetime | None = NOW + DAY,
    responder: Issued | None = None,
    by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH,
    hashed: hashes.HashAlgorithm | None = None,
    send_responder: bool = True,
    extensions: Extensions = (),
) -> bytes:
    """The DER of an OCSP response about a certificate, signed by its issuer or by a delegated `responder`."""
    signer = responder or issuer
    is_revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=about.certificate,
            issuer=issuer.certificate,
            algorithm=hashed or hashes.SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=next_update,
            revocation_time=YESTERDAY if is_revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if is_revoked else None,
        )
        .responder_id(by, signer.certificate)
    )
    if responder is not None and send_responder:
        builder = builder.certificates([responder.certificate])
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def responder(issuer: Issued, *, usages: Sequence[x509.ObjectIdentifier] | None = None, **changes: object) -> Issued:
    """Somebody whom an authority has certified to answer for it."""
    oid = x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING
    return factory.leaf(
        issuer,
        subject="Responder",
        usages=(oid,) if usages is None else usages,
        **({"key": "responder"} | changes),  # type: ignore[arg-type]
    )
