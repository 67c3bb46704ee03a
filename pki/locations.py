# SPDX-License-Identifier: ISC
"""Where a certificate says that its authority's revocation list, OCSP responder and certificate are."""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID


@dataclass(frozen=True, slots=True)
class Locations:
    """http URLs, as RFC 5280 4.2.1.13 and 4.2.2.1 have them."""

    crl: str | None = None
    ocsp: str | None = None
    issuer: str | None = None

    def extensions(self) -> list[x509.ExtensionType]:
        """cRLDistributionPoints and authorityInfoAccess, as far as there is something to say."""
        found: list[x509.ExtensionType] = []
        if self.crl is not None:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(self.crl)], None, None, None)
            found.append(x509.CRLDistributionPoints([point]))
        methods = (
            (AuthorityInformationAccessOID.OCSP, self.ocsp),
            (AuthorityInformationAccessOID.CA_ISSUERS, self.issuer),
        )
        descriptions = [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in methods if url
        ]
        if descriptions:
            found.append(x509.AuthorityInformationAccess(descriptions))
        return found


NOWHERE: Final = Locations()
