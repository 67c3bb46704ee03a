# SPDX-License-Identifier: ISC
"""The little of X.690 DER that the certificate library does not hand out: slices of a certificate as it was signed.

Names are compared and printed from these slices. A library that decodes a name and encodes it again may answer
with other bytes than the authority signed, and then two readers disagree about who somebody is.
"""

from dataclasses import dataclass

from pki.errors import DerInvalid

INTEGER = 0x02
BIT_STRING = 0x03
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31
_CONTEXT_0 = 0xA0


def element(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """The element at `start` in data[:end]: its tag, where its contents begin and where they end.

    Only what names and certificates need: tags of one byte, definite lengths in their shortest form (X.690 10.1).
    """
    if start + 2 > end:
        raise DerInvalid("DER ends inside a header")
    tag, length, begin = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise DerInvalid("DER tag of more than one byte")
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or begin + size > end:
            raise DerInvalid("DER length is indefinite, too long or cut")
        length = int.from_bytes(data[begin : begin + size], "big")
        if length < 0x80 or length >> (8 * (size - 1)) == 0:
            raise DerInvalid("DER length is not in its shortest form")
        begin += size
    if begin + length > end:
        raise DerInvalid("DER element is longer than what holds it")
    return tag, begin, begin + length


def expect(data: bytes, start: int, end: int, tag: int) -> tuple[int, int]:
    """Where the contents of an element begin and end, which must have this tag."""
    found, begin, stop = element(data, start, end)
    if found != tag:
        raise DerInvalid(f"DER tag {found:#04x} where {tag:#04x} belongs")
    return begin, stop


def encode(tag: int, contents: bytes) -> bytes:
    """One element."""
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + contents


@dataclass(frozen=True, slots=True)
class CertificateSlices:
    """RFC 5280 4.1, byte for byte: whole elements, their headers included."""

    tbs: bytes
    tbs_algorithm: bytes  # the AlgorithmIdentifier that is signed
    signature_algorithm: bytes  # the one beside the signature
    issuer: bytes
    subject: bytes
    key: bytes  # SubjectPublicKeyInfo


def slices(der: bytes) -> CertificateSlices:
    """Cut a certificate up. Raises DerInvalid where it is none, is followed by anything, or has a serial that
    RFC 5280 4.1.2.2 forbids (zero or negative: the library would only warn)."""
    begin, end = expect(der, 0, len(der), SEQUENCE)
    if end != len(der):
        raise DerInvalid("bytes after the certificate")
    tbs_begin, tbs_end = expect(der, begin, end, SEQUENCE)
    _, algorithm_end = expect(der, tbs_end, end, SEQUENCE)
    bits, stop = expect(der, algorithm_end, end, BIT_STRING)
    # Signatures are whole bytes. The library does not look at how many bits are said not to count, so that the same
    # signature would make several certificates.
    if der[bits:stop][:1] != b"\0" or stop != end:
        raise DerInvalid("signature is no number of whole bytes")
    at = tbs_begin
    if at < tbs_end and der[at] == _CONTEXT_0:
        _, _, at = element(der, at, tbs_end)
    serial_begin, at = expect(der, at, tbs_end, INTEGER)
    serial = der[serial_begin:at]
    if not serial or serial[0] & 0x80 or not any(serial):
        raise DerInvalid("serial number is not positive")
    algorithm_start = at
    _, issuer_start = expect(der, at, tbs_end, SEQUENCE)
    _, issuer_end = expect(der, issuer_start, tbs_end, SEQUENCE)
    _, subject_start = expect(der, issuer_end, tbs_end, SEQUENCE)
    _, subject_end = expect(der, subject_start, tbs_end, SEQUENCE)
    _, key_end = expect(der, subject_end, tbs_end, SEQUENCE)
    return CertificateSlices(
        tbs=der[begin:tbs_end],
        tbs_algorithm=der[algorithm_start:issuer_start],
        signature_algorithm=der[tbs_end:algorithm_end],
        issuer=der[issuer_start:issuer_end],
        subject=der[subject_start:subject_end],
        key=der[subject_end:key_end],
    )
