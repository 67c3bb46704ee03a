# SPDX-License-Identifier: ISC
"""Public keys as texts (RFC 2792), and the one text that equal keys share.

| prefix          | content                                                              | canonical           |
|-----------------|----------------------------------------------------------------------|---------------------|
| `rsa-`          | SEQUENCE {n, e}, which is PKCS#1, or {e, n} as RFC 2792 3.2 has it   | `rsa-hex:`, {n, e}  |
| `dsa-`          | SEQUENCE {y, p, q, g}                                                | `dsa-hex:`          |
| `ec-`           | SubjectPublicKeyInfo of a named curve, the point compressed or not   | `ec-hex:`, not      |
| `ed25519-`      | SubjectPublicKeyInfo                                                 | `ed25519-hex:`      |
| `x509-`         | an X.509 certificate                                                 | that of the key in it |
| `binary-`       | bytes that identify, and sign nothing                                | `binary-hex:`       |

All of it is DER, so a key has one encoding (but for the two orders of RSA), and nothing may follow it. Nor may bits
be left over in base64 that are not zero: libkeynote refuses these too, whose decoder is BIND's `b64_pton`. The values
are checked as far as comparing needs it: DSA keys of sizes that no library verifies with any more are still names.
"""

import base64
import binascii
import functools
import re
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric.dsa import DSAParameterNumbers, DSAPublicKey, DSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from keynote import limits
from keynote.redaction import quoted

PublicKey: TypeAlias = RSAPublicKey | DSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

NAMES: Final = {"rsa": "an RSA key", "dsa": "a DSA key", "ec": "an elliptic curve key", "ed25519": "an Ed25519 key"}


class NoKey(ValueError):
    """Bits that are no key, or none that can be used. The message goes on after the key's name: "is not …"."""


# -- from ASCII ------------------------------------------------------------------------------------------------------


def from_ascii(encoding: str, bits: str) -> bytes:
    """The bytes that `bits` are, in `hex` or `base64`. Raises NoKey, with the first character that is wrong."""
    try:
        if encoding == "hex":
            return binascii.unhexlify(bits)
        content = binascii.a2b_base64(bits, strict_mode=True)
        if to_ascii(encoding, content) == bits:
            return content
    except ValueError:
        pass
    # Keys in base64 are often broken over lines, and the blanks between the pieces mean nothing.
    digits = bits if encoding == "hex" else bits.translate(_NO_BLANKS)
    if digits != bits:
        return from_ascii(encoding, digits)
    name = _ENCODING_NAMES[encoding]
    wrong = _NO_DIGIT[encoding].search(digits)
    if wrong is not None:
        raise NoKey(f"is not {name}: digit {wrong.start() + 1} is {quoted(wrong[0])}")
    if encoding == "base64" and len(digits) % 4 == 0 and len(digits.rstrip("=")) % 4 > 1:
        raise NoKey("is not base64: bits are left over at its end, and are not zero")
    raise NoKey(
        f"is not {name}: it has {len(digits)} {'digit' if len(digits) == 1 else 'digits'}, {_LENGTHS[encoding]}"
    )


def to_ascii(encoding: str, content: bytes) -> str:
    """The inverse of `from_ascii`."""
    return content.hex() if encoding == "hex" else base64.b64encode(content).decode("ascii")


_NO_BLANKS: Final = dict.fromkeys(map(ord, " \t\n\v\f\r"))  # C's isspace, as in libkeynote
_ENCODING_NAMES: Final = {"hex": "hexadecimal", "base64": "base64"}
_NO_DIGIT: Final = {"hex": re.compile("[^0-9A-Fa-f]"), "base64": re.compile("[^0-9A-Za-z+/=]|=(?==*[^=])")}
_LENGTHS: Final = {"hex": "and needs an even number", "base64": "and needs a multiple of four, with `=` at the end"}


# -- the canonical text ----------------------------------------------------------------------------------------------


def canonical(algorithm: str, content: bytes) -> str:
    """The canonical text of a key, given what its text decodes to. Raises NoKey."""
    match algorithm:
        case "rsa":
            return _rsa_text(*_rsa_numbers(content))
        case "dsa":
            key = _dsa_numbers(content)
            return _dsa_text(key.y, key.p, key.q, key.g)
        case "binary":
            if not content:
                raise NoKey("holds no key")
            return f"binary-hex:{content.hex()}"
        case "x509":
            return text(_certificate_key(content))
    key_text = text(_spki_key(content, NAMES[algorithm]))
    if not key_text.startswith(f"{algorithm}-"):
        raise NoKey(f"is a key, but not {NAMES[algorithm]}")
    return key_text


def text(key: object, encoding: str = "hex") -> str:
    """The principal that a key is: in `hex`, its canonical text. Raises NoKey for kinds that cannot be one."""
    match key:
        case RSAPublicKey():
            rsa = key.public_numbers()
            return _rsa_text(rsa.n, rsa.e, encoding)
        case DSAPublicKey():
            dsa = key.public_numbers()
            domain = dsa.parameter_numbers
            return _dsa_text(dsa.y, domain.p, domain.q, domain.g, encoding)
        case EllipticCurvePublicKey():
            return f"ec-{encoding}:{to_ascii(encoding, _spki(key))}"
        case Ed25519PublicKey():
            return f"ed25519-{encoding}:{to_ascii(encoding, _spki(key))}"
    raise NoKey("holds a key of a kind that signs no assertions")


def _rsa_text(n: int, e: int, encoding: str = "hex") -> str:
    if not 3 <= e < n or not e & n & 1:
        raise NoKey("holds numbers that are no RSA key")
    if n.bit_length() > limits.KEY_BITS:
        raise NoKey(f"holds an RSA key of more than {limits.KEY_BITS} bits")
    # Two positive INTEGERs in a SEQUENCE: what the library encodes as a DSA signature is the same DER.
    return f"rsa-{encoding}:{to_ascii(encoding, encode_dss_signature(n, e))}"


def _rsa_numbers(content: bytes) -> tuple[int, int]:
    """n and e, in whichever order they stand: the modulus is the greater one."""
    try:
        first, second = decode_dss_signature(content)
    except ValueError as error:
        raise NoKey("is not the DER of two positive numbers, as an RSA key is") from error
    return max(first, second), min(first, second)


@asn1.sequence
class _DsaKey:
    """RFC 2792 3.1."""

    y: int
    p: int
    q: int
    g: int


def _dsa_numbers(content: bytes) -> _DsaKey:
    try:
        return asn1.decode_der(_DsaKey, content)
    except ValueError as error:
        raise NoKey("is not the DER of four numbers, as a DSA key is") from error


def _dsa_text(y: int, p: int, q: int, g: int, encoding: str = "hex") -> str:
    if not (1 < y < p and 1 < g < p and 1 < q < p):
        raise NoKey("holds numbers that are no DSA key")
    if p.bit_length() > limits.KEY_BITS:
        raise NoKey(f"holds a DSA key of more than {limits.KEY_BITS} bits")
    return f"dsa-{encoding}:{to_ascii(encoding, asn1.encode_der(_DsaKey(y=y, p=p, q=q, g=g)))}"


def _spki(key: EllipticCurvePublicKey | Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _spki_key(content: bytes, name: str) -> object:
    try:
        return load_der_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoKey(f"is not the DER of a SubjectPublicKeyInfo with {name}") from error


def from_pem(text: str) -> object:
    """The public key in PEM, bare or in a certificate. Raises NoKey."""
    try:
        if "-----BEGIN CERTIFICATE" not in text:
            return load_pem_public_key(text.encode("latin-1"))
        from cryptography import x509

        return x509.load_pem_x509_certificate(text.encode("latin-1")).public_key()
    except (ValueError, UnsupportedAlgorithm, Warning) as error:
        raise NoKey("holds neither a public key nor a certificate with one") from error


def _certificate_key(content: bytes) -> object:
    from cryptography import x509  # a third of what this package would load, and seldom needed

    try:
        return x509.load_der_x509_certificate(content).public_key()
    # What the library only warns of is an exception where warnings are.
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, Warning) as error:
        raise NoKey("is not the DER of an X.509 certificate with a key") from error


# -- keys that verify ------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def load(key_text: str) -> PublicKey:
    """The key of a canonical text. Raises NoKey if it is none that can verify a signature."""
    algorithm, _, bits = key_text.partition("-hex:")
    try:
        match algorithm:
            case "rsa":
                n, e = decode_dss_signature(bytes.fromhex(bits))
                return RSAPublicNumbers(e, n).public_key()
            case "dsa":
                key = _dsa_numbers(bytes.fromhex(bits))
                return DSAPublicNumbers(key.y, DSAParameterNumbers(key.p, key.q, key.g)).public_key()
            case "ec" | "ed25519":
                found = _spki_key(bytes.fromhex(bits), NAMES[algorithm])
                assert isinstance(found, EllipticCurvePublicKey | Ed25519PublicKey), "the text is canonical"
                return found
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoKey(f"is {NAMES[algorithm]} that cannot verify signatures: {error}") from error
    raise NoKey("is no key that could sign")
