# SPDX-License-Identifier: ISC
"""Another subjectAltName in a certificate that is signed already, as certpatch(8) of isakmpd does it.

It is a last resort: there are two certificates of one serial number then, and a registry knows the first. All else
stays as it was, byte for byte. The original leaves SHA-1 and MD5, signs whatever authority the certificate is of, and
puts a second extension beside one that is there, where RFC 5280 4.2 allows one; this one does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pki import chain_certificates, der
from pki.certificate_signatures import is_signed_by
from pki.chain_certificates import ReadCertificate
from pki.errors import PkiError
from pki.names import Identity, general_name

_BOOLEAN, _OCTET_STRING, _VERSION, _EXTENSIONS = 0x01, 0x04, 0xA0, 0xA3
_PKCS_1: Final = "1.2.840.113549.1.1."
_VERSION_3: Final = bytes.fromhex("a003020102")
_SUBJECT_ALT_NAME: Final = bytes.fromhex("551d11")  # 2.5.29.17
# RFC 8017 A.2.4: each with its NULL.
_WITH_RSA: Final = {
    hashes.SHA256: bytes.fromhex("300d06092a864886f70d01010b0500"),
    hashes.SHA384: bytes.fromhex("300d06092a864886f70d01010c0500"),
    hashes.SHA512: bytes.fromhex("300d06092a864886f70d01010d0500"),
}


@dataclass(frozen=True, slots=True)
class Patched:
    """The certificate as it is now, and what is lost of the one before: its subjectAltNames, and the digest it was
    signed with if that is not used any more."""

    certificate: x509.Certificate
    dropped: tuple[str, ...]
    digest: str = ""


def check_signed_with_rsa(certificate: ReadCertificate) -> None:
    """No other key can be asked for. Raises PkiError."""
    oid = certificate.certificate.signature_algorithm_oid.dotted_string
    if not oid.startswith(_PKCS_1):
        raise PkiError(
            f"certificate `{certificate.subject}` was not signed with an RSA key (algorithm {oid})",
            "certpatch knows RSA only",
        )


def patched(certificate: ReadCertificate, identity: Identity, key: rsa.RSAPrivateKey) -> Patched:
    """The certificate with this identity as its only, critical subjectAltName, signed anew with the authority's key.

    Raises PkiError where the key is not the one that signed it."""
    if not is_signed_by(certificate.certificate, key.public_key()):
        raise PkiError(
            f"certificate `{certificate.subject}` was not signed with this key, but by `{certificate.issuer}`",
            "give the key of the authority that issued it",
        )
    digest, weak = _digest(certificate.certificate)
    tbs = _changed(der.slices(certificate.der).tbs, _extension(identity), _WITH_RSA[type(digest)])
    signature = der.encode(der.BIT_STRING, b"\0" + key.sign(tbs, padding.PKCS1v15(), digest))
    result = chain_certificates.load(der.encode(der.SEQUENCE, tbs + _WITH_RSA[type(digest)] + signature))
    return Patched(result.certificate, tuple(_alternatives(certificate.certificate)), weak)


def _digest(certificate: x509.Certificate) -> tuple[hashes.SHA256 | hashes.SHA384 | hashes.SHA512, str]:
    """What to sign with, and the name of the digest that it takes the place of."""
    try:
        found = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return hashes.SHA256(), "an unknown digest"
    if isinstance(found, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        return found, ""
    return hashes.SHA256(), "" if found is None else found.name.upper()


def _alternatives(certificate: x509.Certificate) -> Iterator[str]:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            yield from (str(getattr(name, "value", name)) for name in extension.value)


def _extension(identity: Identity) -> bytes:
    """RFC 5280 4.1: an Extension, critical as certpatch(8) makes it."""
    value = x509.SubjectAlternativeName([general_name(identity)]).public_bytes()
    return der.encode(
        der.SEQUENCE,
        der.encode(der.OBJECT_IDENTIFIER, _SUBJECT_ALT_NAME)
        + der.encode(_BOOLEAN, b"\xff")
        + der.encode(_OCTET_STRING, value),
    )


def _changed(tbs: bytes, alternative: bytes, algorithm: bytes) -> bytes:
    """A TBSCertificate (RFC 5280 4.1) of version 3, with this signature algorithm and subjectAltName."""
    elements = list(_elements(tbs, *der.expect(tbs, 0, len(tbs), der.SEQUENCE)))
    if elements[0][0] == _VERSION:
        del elements[0]
    (_, serial), _, *others = elements
    kept = [whole for tag, whole in others if tag != _EXTENSIONS]
    extensions = [extension for tag, whole in others if tag == _EXTENSIONS for extension in _extensions(whole)]
    sequence = der.encode(der.SEQUENCE, b"".join((*extensions, alternative)))
    parts = (_VERSION_3, serial, algorithm, *kept, der.encode(_EXTENSIONS, sequence))
    return der.encode(der.SEQUENCE, b"".join(parts))


def _extensions(tagged: bytes) -> Iterator[bytes]:
    """Each Extension in `[3] EXPLICIT Extensions` but subjectAltName."""
    begin, end = der.expect(tagged, 0, len(tagged), _EXTENSIONS)
    begin, end = der.expect(tagged, begin, end, der.SEQUENCE)
    for _, whole in _elements(tagged, begin, end):
        at, stop = der.expect(whole, 0, len(whole), der.SEQUENCE)
        oid_begin, oid_end = der.expect(whole, at, stop, der.OBJECT_IDENTIFIER)
        if whole[oid_begin:oid_end] != _SUBJECT_ALT_NAME:
            yield whole


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The elements of data[at:end]: the tag of each, and all of it."""
    while at < end:
        tag, _, stop = der.element(data, at, end)
        yield tag, data[at:stop]
        at = stop
