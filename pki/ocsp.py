# SPDX-License-Identifier: ISC
"""OCSP (RFC 6960, in the profile of RFC 5019): what is asked, and a signed answer.

    question = read(request)
    answer(question, Standing(GOOD), responder, now, next_update)

One question in a request, as RFC 5019 2.1.1 has it. Who signs is told by the hash of the key. As with certificates an
answer is built and signed with a key that is thrown away, then the same bytes by the responder's signer; but for the
hash of the key, since the library wants it to be that of whoever signs.
"""

import datetime
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus
from cryptography.x509.oid import NameOID

from pki import der, keys, revocation, signing
from pki.chain_certificates import ReadCertificate
from pki.errors import DerInvalid, PkiError
from pki.keys import Signer

MAX_REQUEST: Final = 16384  # bytes; a request with a signature and certificates has some thousands
NONCE_MAX: Final = 128  # bytes, RFC 9654 2.1
_HASHES: Final = ("sha1", "sha256", "sha384", "sha512")  # that an issuer is named by
_BASIC: Final = bytes.fromhex("2b0601050507300101")  # id-pkix-ocsp-basic
_ENUMERATED, _OCTET_STRING, _CONTEXT_0, _BY_KEY = 0x0A, 0x04, 0xA0, 0xA2
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, NotImplementedError, x509.DuplicateExtension)


class RequestInvalid(PkiError):
    """Bytes that are no OCSP request, or ask for what RFC 6960 or RFC 5019 does not have."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which certificate is asked about: by hashes of its issuer's name and key, and its serial number."""

    algorithm: hashes.HashAlgorithm = field(compare=False)
    digest: str  # the algorithm's name
    name_hash: bytes
    key_hash: bytes
    serial: int
    nonce: bytes | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is to say of a certificate."""

    status: OCSPCertStatus
    revoked_at: datetime.datetime | None = None
    reason: str | None = None


UNKNOWN: Final = Standing(OCSPCertStatus.UNKNOWN)
GOOD: Final = Standing(OCSPCertStatus.GOOD)


@dataclass(frozen=True, slots=True)
class Responder:
    """Who answers for an authority: itself, or whom it certified for that (RFC 6960 4.2.2.2)."""

    authority_id: int
    issuer: ReadCertificate
    certificate: ReadCertificate
    signer: Signer

    def __post_init__(self) -> None:
        if self.signer.public_key != self.certificate.public_key:
            raise PkiError(f"the key at hand is not the key of `{self.certificate.subject}`")

    @property
    def is_delegated(self) -> bool:
        return self.certificate is not self.issuer


def issuer_hashes(issuer: ReadCertificate) -> Iterable[tuple[str, bytes, bytes]]:
    """What questions about an authority's certificates name it by: digest, hash of its name, hash of its key."""
    bits = key_bits(issuer)
    for digest in _HASHES:
        yield digest, _hash(digest, issuer.subject_der), _hash(digest, bits)


def key_bits(certificate: ReadCertificate) -> bytes:
    """The contents of subjectPublicKey, without the number of unused bits (RFC 6960 4.1.1)."""
    info = der.slices(certificate.der).key
    begin, end = der.expect(info, 0, len(info), der.SEQUENCE)
    _, algorithm_end = der.expect(info, begin, end, der.SEQUENCE)
    begin, end = der.expect(info, algorithm_end, end, der.BIT_STRING)
    return info[begin + 1 : end]


def read(request: bytes) -> Question:
    """Raises RequestInvalid. A signature is not looked at: everybody may ask."""
    if len(request) > MAX_REQUEST:
        raise RequestInvalid(f"request of {len(request)} bytes, more than {MAX_REQUEST}")
    try:
        asked = ocsp.load_der_ocsp_request(request)
        if asked.serial_number < 0:  # RFC 5280 4.1.2.2; the library can read it, and not answer it
            raise RequestInvalid("request asks for a negative serial number")
        return Question(
            asked.hash_algorithm,
            asked.hash_algorithm.name,
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            _nonce(asked.extensions),
        )
    except _UNREADABLE as error:
        raise RequestInvalid(f"request cannot be read: {error}") from error


def _nonce(extensions: x509.Extensions) -> bytes | None:
    found = None
    for extension in extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            found = extension.value.nonce
            if not 1 <= len(found) <= NONCE_MAX:
                raise RequestInvalid(f"nonce of {len(found)} bytes")
        elif extension.critical:
            raise RequestInvalid(f"critical extension {extension.oid.dotted_string}, which is unknown here")
    return found


def answer(
    question: Question,
    standing: Standing,
    responder: Responder,
    now: datetime.datetime,
    next_update: datetime.datetime,
) -> bytes:
    """The DER of a response. Raises PkiError."""
    key = responder.certificate.public_key
    kind = keys.kind(key)
    try:
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                question.name_hash,
                question.key_hash,
                question.serial,
                question.algorithm,
                standing.status,
                now,
                next_update,
                standing.revoked_at,
                revocation.reason_flag(standing.reason) if standing.reason is not None else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, _throw_away_certificate(kind))
        )
        if question.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(question.nonce), critical=False)
        rehearsed = builder.sign(keys.throw_away(kind), keys.signature_hash(key))
    except _UNREADABLE as error:
        raise PkiError(f"no such answer can be made: {error}") from error
    tbs = _by_key(rehearsed.tbs_response_bytes, _hash("sha1", key_bits(responder.certificate)))
    certificates = b""
    if responder.is_delegated:
        certificates = der.encode(_CONTEXT_0, der.encode(der.SEQUENCE, responder.certificate.der))
    algorithm = _algorithm(rehearsed.public_bytes(Encoding.DER))
    return _response(signing.signed(tbs, algorithm, responder.signer, certificates))


def refusal(status: OCSPResponseStatus) -> bytes:
    """The DER of a response without an answer (RFC 6960 2.3), which nobody signs."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _by_key(tbs: bytes, key_hash: bytes) -> bytes:
    """ResponseData (RFC 6960 4.2.1), which begins with responderID byKey, with another key's hash."""
    begin, end = der.expect(tbs, 0, len(tbs), der.SEQUENCE)
    begin, end = der.expect(tbs, begin, end, _BY_KEY)
    begin, end = der.expect(tbs, begin, end, _OCTET_STRING)
    if end - begin != len(key_hash):
        raise DerInvalid("OCSP response does not name its responder by the hash of its key")
    return tbs[:begin] + key_hash + tbs[end:]


def _algorithm(response: bytes) -> bytes:
    """The AlgorithmIdentifier of a BasicOCSPResponse, whole."""
    begin, end = der.expect(response, 0, len(response), der.SEQUENCE)
    _, begin = der.expect(response, begin, end, _ENUMERATED)
    begin, end = der.expect(response, begin, end, _CONTEXT_0)
    begin, end = der.expect(response, begin, end, der.SEQUENCE)
    _, begin = der.expect(response, begin, end, der.OBJECT_IDENTIFIER)
    begin, end = der.expect(response, begin, end, _OCTET_STRING)
    return signing.algorithm_of(response[begin:end])


def _response(basic: bytes) -> bytes:
    successful = der.encode(_ENUMERATED, b"\0")
    wrapped = der.encode(der.OBJECT_IDENTIFIER, _BASIC) + der.encode(_OCTET_STRING, basic)
    return der.encode(der.SEQUENCE, successful + der.encode(_CONTEXT_0, der.encode(der.SEQUENCE, wrapped)))


def _hash(digest: str, data: bytes) -> bytes:
    return hashlib.new(digest, data, usedforsecurity=False).digest()


@functools.cache
def _throw_away_certificate(kind: str) -> x509.Certificate:
    """One with the key that is thrown away, which the library asks for."""
    key = keys.throw_away(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2000, 1, 1))
        .not_valid_after(datetime.datetime(2049, 1, 1))
        .sign(key, keys.signature_hash(key.public_key()))
    )
