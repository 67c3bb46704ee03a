# SPDX-License-Identifier: ISC
"""What an OCSP response that a peer handed over says of a certificate (RFC 6960; in IKE by RFC 4806)."""

import datetime
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from pki import chain_certificates, chain_rules
from pki.chain_certificates import ChainCertificate, ChainError, ReadCertificate
from pki.ocsp import key_bits
from pki.revocation_lists import Revoked

MAX_BYTES = 65536
_MAX_RESPONDERS = 4  # certificates in a response that are looked at
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, Warning)


class Status(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"  # whoever answers for the authority has not heard of the certificate
    NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the response says, and of no answer why it is none; `responder` is the serial number of the certificate
    that the authority has answers signed with, where it does not sign them itself."""

    status: Status
    why: str = ""
    revoked: Revoked | None = None
    responder: int | None = None
    until: datetime.datetime | None = None  # how long a good one holds


class _NoAnswer(Exception):
    """Why."""


def answer(staple: bytes, certificate: ChainCertificate, issuer: ChainCertificate, now: datetime.datetime) -> Answer:
    """What a DER OCSPResponse says of `certificate`, issued by `issuer`, at `now` (aware). Any bytes are answered."""
    try:
        return _answer(staple, certificate, chain_certificates.load(issuer.der), now)
    except _NoAnswer as reason:
        return Answer(Status.NO_ANSWER, str(reason))
    except _UNREADABLE as error:
        return Answer(Status.NO_ANSWER, f"it cannot be read: {error}")


def _answer(staple: bytes, certificate: ChainCertificate, issuer: ReadCertificate, now: datetime.datetime) -> Answer:
    if len(staple) > MAX_BYTES:
        raise _NoAnswer(f"it has {len(staple)} bytes, more than {MAX_BYTES}")
    response = ocsp.load_der_ocsp_response(staple)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _NoAnswer(f"the responder could not answer: {response.response_status.name.lower()}")
    single = _about(certificate, issuer, response)
    for extension in response.extensions:
        if extension.critical:
            raise _NoAnswer(f"it has an unknown critical extension: {extension.oid.dotted_string}")
    _check_fresh(single, now)
    responder = _responder(response, issuer, now)
    delegated = None if responder is issuer else responder.serial_number
    match single.certificate_status:
        case ocsp.OCSPCertStatus.GOOD:
            return Answer(Status.GOOD, responder=delegated, until=single.next_update_utc)
        case ocsp.OCSPCertStatus.REVOKED:
            assert single.revocation_time_utc is not None  # RevokedInfo has it
            reason = single.revocation_reason
            revoked = Revoked(single.revocation_time_utc, reason.value if reason is not None else "")
            return Answer(Status.REVOKED, revoked=revoked, responder=delegated)
    return Answer(Status.UNKNOWN, "the responder does not know the certificate", responder=delegated)


def _about(
    certificate: ChainCertificate, issuer: ReadCertificate, response: ocsp.OCSPResponse
) -> ocsp.OCSPSingleResponse:
    """RFC 6960 4.1.1: by the serial number and by hashes of the issuer's name and key."""
    for single in response.responses:
        if single.serial_number != certificate.serial_number:
            continue
        digest = single.hash_algorithm.name
        if digest not in hashlib.algorithms_guaranteed:
            continue
        if single.issuer_name_hash == _hash(digest, issuer.subject_der) and single.issuer_key_hash == _hash(
            digest, key_bits(issuer)
        ):
            return single
    raise _NoAnswer("it is about another certificate")


def _hash(digest: str, data: bytes) -> bytes:
    return hashlib.new(digest, data, usedforsecurity=False).digest()


def _check_fresh(single: ocsp.OCSPSingleResponse, now: datetime.datetime) -> None:
    if now < single.this_update_utc:
        raise _NoAnswer(f"it is from the future: {single.this_update_utc:%Y-%m-%d %H:%M:%SZ}")
    if single.next_update_utc is None:
        raise _NoAnswer("it does not say how long it holds")
    if now > single.next_update_utc:
        raise _NoAnswer(f"it is stale since {single.next_update_utc:%Y-%m-%d %H:%M:%SZ}")


def _responder(response: ocsp.OCSPResponse, issuer: ReadCertificate, now: datetime.datetime) -> ReadCertificate:
    """Who signed it: the authority, or whom it has certified for that (RFC 6960 4.2.2.2)."""
    if _identifies(response, issuer):
        if not _signed(response, issuer):
            raise _NoAnswer(f"it is not signed with the key of `{issuer.subject}`")
        return issuer
    for certificate in response.certificates[:_MAX_RESPONDERS]:
        try:
            responder = chain_certificates.load(certificate.public_bytes(Encoding.DER))
        except ChainError:
            continue
        if _identifies(response, responder):
            _check_delegated(responder, issuer, now)
            if not _signed(response, responder):
                raise _NoAnswer(f"it is not signed with the key of `{responder.subject}`")
            return responder
    raise _NoAnswer(f"neither `{issuer.subject}` nor anybody whose certificate is in it signed it")


def _identifies(response: ocsp.OCSPResponse, certificate: ReadCertificate) -> bool:
    """Whether the response's responderID is this certificate's holder: SHA-1 of the key, or the name."""
    if response.responder_key_hash is not None:
        return response.responder_key_hash == _hash("sha1", key_bits(certificate))
    return response.responder_name == certificate.certificate.subject


def _check_delegated(responder: ReadCertificate, issuer: ReadCertificate, now: datetime.datetime) -> None:
    usages = chain_rules.extension(responder, x509.ExtendedKeyUsage)
    if usages is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        raise _NoAnswer(f"`{responder.subject}` may not sign OCSP responses: no OCSPSigning in its certificate")
    usage = chain_rules.extension(responder, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise _NoAnswer(f"`{responder.subject}` may not sign: its keyUsage lacks digitalSignature")
    try:
        chain_rules.check_form(responder)
        chain_rules.check_validity(responder, now)
        chain_rules.check_key(responder)
        chain_rules.check_signature_algorithm(responder)
        chain_rules.check_critical(responder)
        responder.certificate.verify_directly_issued_by(issuer.certificate)
    except ChainError as error:
        raise _NoAnswer(str(error)) from error
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as error:
        raise _NoAnswer(f"`{responder.subject}` was not certified by `{issuer.subject}`") from error


def _signed(response: ocsp.OCSPResponse, signer: ReadCertificate) -> bool:
    digest = response.signature_hash_algorithm
    if digest is not None and not isinstance(digest, chain_rules.HASHES):
        raise _NoAnswer(f"it is signed with {digest.name}, which is not trusted any more")
    try:
        _verify(response, signer, digest)
    except InvalidSignature:
        return False
    return True


def _verify(response: ocsp.OCSPResponse, signer: ReadCertificate, digest: HashAlgorithm | None) -> None:
    data, signature = response.tbs_response_bytes, response.signature
    match signer.public_key:
        case rsa.RSAPublicKey() as key if (
            digest and response.signature_algorithm_oid != SignatureAlgorithmOID.RSASSA_PSS
        ):
            key.verify(signature, data, padding.PKCS1v15(), digest)
        case ec.EllipticCurvePublicKey() as key if digest:
            key.verify(signature, data, ec.ECDSA(digest))
        case (
            ed25519.Ed25519PublicKey()
            | mldsa.MLDSA44PublicKey()
            | mldsa.MLDSA65PublicKey()
            | mldsa.MLDSA87PublicKey() as key
        ):
            key.verify(signature, data)
        case _:
            raise _NoAnswer("it is signed with an algorithm that is not supported here")
