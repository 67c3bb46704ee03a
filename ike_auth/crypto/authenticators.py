# SPDX-License-Identifier: ISC
"""RSA signatures as IKEv1 makes them, RFC 2409 5.1.

The HASH itself is padded by PKCS #1 v1.5 and signed, without the DigestInfo that says which hash it is: both sides
know that from the negotiation. A signature with a DigestInfo is not accepted.
"""

from hmac import compare_digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from ike_auth.errors import AuthenticationFailed, LocalError

MAX_KEY_SIZE = 8192  # bits: above it the time that a verification takes is a peer's to choose


def sign(key: RSAPrivateKey, hash: bytes) -> bytes:
    """The SIG payload for HASH_I or HASH_R. Raises LocalError if the key is too short for the hash."""
    try:
        return key.sign(hash, PKCS1v15(), utils.NoDigestInfo())
    except ValueError as error:
        raise LocalError(f"cannot sign {len(hash)} bytes with {key.key_size} bits: {error}") from None


def verify(key: object, hash: bytes, signature: bytes) -> None:
    """Raises AuthenticationFailed unless `signature` is that of `hash` by the RSA key `key`.

    `key` is whatever a certificate held: another kind of key, or one that is too large, fails as well.
    """
    if not isinstance(key, RSAPublicKey):
        raise AuthenticationFailed("the peer's key is not an RSA key, which RSA_SIG needs")
    if key.key_size > MAX_KEY_SIZE:
        raise AuthenticationFailed(f"the peer's RSA key has {key.key_size} bits, above {MAX_KEY_SIZE}")
    if len(signature) != (key.key_size + 7) // 8:
        raise AuthenticationFailed(f"a signature of {len(signature)} bytes for an RSA key of {key.key_size} bits")
    try:
        signed = key.recover_data_from_signature(signature, PKCS1v15(), utils.NoDigestInfo())
    except (InvalidSignature, ValueError):
        signed = b""
    # What stands behind the padding is the hash to its last byte, so nothing can hide there.
    if not compare_digest(signed, hash):
        raise AuthenticationFailed("the signature does not verify with the peer's key")
