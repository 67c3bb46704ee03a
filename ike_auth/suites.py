# SPDX-License-Identifier: ISC
"""What was agreed on, and how it is written in logs."""

from functools import lru_cache

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.crypto import ciphers
from ike_auth.errors import NoProposalChosen, UnsupportedAlgorithm
from ike_auth.values import value
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationMethod,
    EncapsulationMode,
    EncryptionAlgorithm,
    EspTransform,
    Group,
    HashAlgorithm,
    IpcompTransform,
    ProtocolId,
)


@value
class Phase1Suite:
    """The one ISAKMP transform that both ends agreed on."""

    cipher: EncryptionAlgorithm
    key_length: int | None  # bits; None for ciphers of one key length
    hash: HashAlgorithm
    authentication: AuthenticationMethod
    group: Group
    life_seconds: int

    def __str__(self) -> str:
        cipher = f"{self.cipher.name}-{self.key_length}" if self.key_length else self.cipher.name
        return f"{cipher} {self.hash.name} {self.group.name} {self.authentication.name}"


def describe(parameters: ProtocolParameters) -> str:
    """`ESP AES-256 HMAC_SHA2_256 tunnel PFS MODP_2048`, `IPCOMP DEFLATE tunnel`."""
    words = [parameters.protocol.name]
    name = getattr(parameters.transform, "name", str(parameters.transform))
    words.append(f"{name}-{parameters.key_length}" if parameters.key_length else name)
    if parameters.authentication is not None:
        words.append(parameters.authentication.name)
    words.append(EncapsulationMode(parameters.encapsulation).name.lower().replace("_", "-"))
    if parameters.protocol != ProtocolId.IPCOMP:
        words.append(f"PFS {Group(parameters.group).name}" if parameters.group is not None else "no PFS")
    return " ".join(words)


@lru_cache(256)
def key_sizes(parameters: ProtocolParameters) -> tuple[int, int]:
    """Bytes of KEYMAT for encryption (with a salt, if any) and for integrity; IPCOMP has none.

    Raises NoProposalChosen for what must not be combined, first of all ESP that authenticates nothing, and
    UnsupportedAlgorithm.
    """
    if parameters.protocol == ProtocolId.IPCOMP:
        if parameters.transform != IpcompTransform.DEFLATE:
            raise UnsupportedAlgorithm(f"IPCOMP transform {parameters.transform}")
        return 0, 0
    integrity = None if parameters.authentication is None else ciphers.integrity(parameters.authentication)
    if parameters.protocol == ProtocolId.AH:
        if integrity is None or integrity.ah_transform != AhTransform(parameters.transform):
            raise NoProposalChosen(
                f"{describe(parameters)}: the authentication algorithm is not that of the transform"
            )
        return 0, integrity.key_size
    cipher = ciphers.esp_cipher(EspTransform(parameters.transform), parameters.key_length)
    if cipher.aead and integrity is not None:
        raise NoProposalChosen(f"{describe(parameters)}: {cipher.name} takes no authentication algorithm")
    if not cipher.aead and integrity is None:
        raise NoProposalChosen(f"{describe(parameters)}: ESP without integrity protection")
    return cipher.key_size, 0 if integrity is None else integrity.key_size
