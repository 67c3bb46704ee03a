# SPDX-License-Identifier: ISC
"""Certificates that no library writes: the fields of a good one, some of them replaced, signed anew."""

from collections.abc import Callable

from cryptography import x509

from pki import der
from tests.pki import factory
from tests.pki.factory import Issued

Rework = Callable[[Issued, Issued], bytes]  # a good certificate and its issuer → the DER of another

_VERSION, _SERIAL, _ALGORITHM, _ISSUER, _VALIDITY, _SUBJECT, _KEY, _EXTENSIONS = range(8)
_NULL = b"\x05\x00"


def fields(certificate_der: bytes) -> list[bytes]:
    """The elements of a TBSCertificate of version 3 (RFC 5280 4.1)."""
    found = _elements(factory.tbs(certificate_der))
    assert len(found) == 8
    return found


def _elements(data: bytes) -> list[bytes]:
    _, at, end = der.element(data, 0, len(data))
    found = []
    while at < end:
        start = at
        _, _, at = der.element(data, start, end)
        found.append(data[start:at])
    return found


def algorithm(oid: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.encode(der.OBJECT_IDENTIFIER, oid) + _NULL)


def replaced(field: int, by: Callable[[bytes], bytes]) -> Rework:
    """One field of the certificate is another."""

    def rework(issued: Issued, issuer: Issued) -> bytes:
        found = fields(issued.der)
        found[field] = by(found[field])
        return factory.signed(der.encode(der.SEQUENCE, b"".join(found)), issuer)

    return rework


def serial(contents: bytes) -> Rework:
    return replaced(_SERIAL, lambda _: der.encode(der.INTEGER, contents))


def algorithm_inside(oid: bytes) -> Rework:
    """What is signed says another algorithm than what is beside the signature."""
    return replaced(_ALGORITHM, lambda _: algorithm(oid))


def rsa_exponent(exponent: int) -> Rework:
    """The same modulus with another exponent."""
    return _rsa_key(lambda modulus, _: (modulus, _integer(exponent)))


def rsa_modulus(bits: int) -> Rework:
    """A number of this size for a modulus; nobody has its factors."""
    return _rsa_key(lambda _, exponent: (_integer(2**bits - 1), exponent))


def _rsa_key(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Rework:
    def key(info: bytes) -> bytes:
        kind, bits = _elements(info)
        _, begin, end = der.element(bits, 0, len(bits))
        modulus, exponent = _elements(bits[begin + 1 : end])
        numbers = der.encode(der.SEQUENCE, b"".join(change(modulus, exponent)))
        return der.encode(der.SEQUENCE, kind + der.encode(der.BIT_STRING, b"\0" + numbers))

    return replaced(_KEY, key)


def _integer(value: int) -> bytes:
    return der.encode(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def other_key_identifier(issued: Issued, issuer: Issued) -> bytes:
    """The authorityKeyIdentifier is another key's."""
    own = x509.SubjectKeyIdentifier.from_public_key(issuer.key.public_key()).digest
    return replaced(_EXTENSIONS, lambda found: found.replace(own, own[::-1]))(issued, issuer)


def duplicate_extension(issued: Issued, issuer: Issued) -> bytes:
    """The last extension is there twice."""

    def twice(tagged: bytes) -> bytes:
        (listed,) = _elements(tagged)
        found = _elements(listed)
        return der.encode(tagged[0], der.encode(der.SEQUENCE, b"".join([*found, found[-1]])))

    return replaced(_EXTENSIONS, twice)(issued, issuer)


def nul_in_name(issued: Issued, issuer: Issued) -> bytes:
    return replaced(_EXTENSIONS, lambda found: found.replace(b"gw.example", b"gw\0example"))(issued, issuer)


def signed_with(oid: bytes) -> Rework:
    """Signed with another algorithm, and says so in both places."""
    return lambda issued, issuer: factory.resigned(issued, issuer, algorithm=oid)


def version_1(issued: Issued, issuer: Issued) -> bytes:
    return factory.without_extensions(issued, issuer)


def unused_bit(issued: Issued, issuer: Issued) -> bytes:
    """The signature says that its last bit does not count, which is 0, as DER wants."""
    found = fields(issued.der)
    for number in range(1, 128):
        found[_SERIAL] = der.encode(der.INTEGER, bytes([number]))
        signed = factory.signed(der.encode(der.SEQUENCE, b"".join(found)), issuer)
        size = len(x509.load_der_x509_certificate(signed).signature)
        if signed[-1] & 1 == 0:
            return signed[: -size - 1] + b"\x01" + signed[-size:]
    raise AssertionError("every signature ends with 1")


def authority_named(serial: int) -> Rework:
    """The authorityKeyIdentifier has the issuer and serial number of the authority's certificate too."""

    def rework(issued: Issued, issuer: Issued) -> bytes:
        identifier = x509.SubjectKeyIdentifier.from_public_key(issuer.key.public_key()).digest
        plain = x509.AuthorityKeyIdentifier(identifier, None, None).public_bytes()
        names = [x509.DirectoryName(issuer.certificate.issuer)]
        named = x509.AuthorityKeyIdentifier(identifier, names, serial).public_bytes()

        def with_it(tagged: bytes) -> bytes:
            (listed,) = _elements(tagged)
            return der.encode(tagged[0], der.encode(der.SEQUENCE, b"".join(map(changed, _elements(listed)))))

        def changed(extension: bytes) -> bytes:
            parts = _elements(extension)
            if parts[-1] == der.encode(0x04, plain):
                parts[-1] = der.encode(0x04, named)
            return der.encode(der.SEQUENCE, b"".join(parts))

        return replaced(_EXTENSIONS, with_it)(issued, issuer)

    return rework


def unsigned(issued: Issued, issuer: Issued) -> bytes:
    """One bit of the signature is another."""
    return issued.der[:-1] + bytes([issued.der[-1] ^ 1])
