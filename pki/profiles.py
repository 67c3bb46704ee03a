# SPDX-License-Identifier: ISC
"""What each kind of certificate contains. Data: `authority` makes it so, `lints` checks that it is."""

import datetime
from dataclasses import dataclass

from cryptography import x509

from pki.chain_rules import IPSEC_IKE
from pki.names import IdentityKind

# Clocks differ: a certificate is valid a little before it was issued.
BACKDATE = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate. `key_usage` holds the names of `cryptography.x509.KeyUsage`."""

    name: str
    about: str
    lifetime: datetime.timedelta
    key_usage: frozenset[str]
    extended_key_usages: tuple[x509.ObjectIdentifier, ...]
    identities: tuple[IdentityKind, ...]  # what its holder may be called; empty: it does not speak IKE
    path_length: int | None = None  # of an authority: how many authorities may stand below it
    key: str = "rsa-2048"  # IKEv1 signs with RSA; elliptic curves need RFC 4754 on both sides

    @property
    def is_authority(self) -> bool:
        return not self.identities


CA = Profile(
    name="ca",
    about="the authority itself",
    lifetime=datetime.timedelta(days=3650),
    key_usage=frozenset({"key_cert_sign", "crl_sign"}),
    extended_key_usages=(),
    identities=(),
    path_length=0,
)
GATEWAY = Profile(
    name="gateway",
    about="a host that peers know by its name or address",
    lifetime=datetime.timedelta(days=730),
    key_usage=frozenset({"digital_signature"}),
    extended_key_usages=(IPSEC_IKE,),
    identities=("FQDN", "IPV4_ADDR", "IPV6_ADDR"),
)
ROAD_WARRIOR = Profile(
    name="road-warrior",
    about="a person, known by a mail address, from wherever they are",
    lifetime=datetime.timedelta(days=365),
    key_usage=frozenset({"digital_signature"}),
    extended_key_usages=(IPSEC_IKE,),
    identities=("USER_FQDN",),
)

PROFILES = {profile.name: profile for profile in (CA, GATEWAY, ROAD_WARRIOR)}
