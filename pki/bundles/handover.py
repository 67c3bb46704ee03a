# SPDX-License-Identifier: ISC
"""What there is to hand over to the holder of a certificate, whatever the form: all that its peer software needs, and
nothing else."""

from dataclasses import dataclass, field

from cryptography import x509

from pki.errors import PkiError
from pki.keys import PrivateKey
from pki.names import Identity
from pki.records import Record
from pki.registry import Registry


@dataclass(frozen=True, slots=True)
class Handover:
    """A certificate with its key, and the certificates of authorities around it."""

    leaf: Record
    key: PrivateKey | None = field(repr=False)  # None: it is not handed over
    intermediates: tuple[x509.Certificate, ...]  # what leads from the leaf to any anchor; cross certificates too
    anchors: tuple[x509.Certificate, ...]  # what the holder believes; the one above the leaf first

    @property
    def identity(self) -> Identity:
        """What its holder goes by in IKE."""
        return self.leaf.identities[0]

    @property
    def is_person(self) -> bool:
        """Whether its holder comes from wherever they are, and needs an address there."""
        return self.identity.kind == "USER_FQDN"

    @property
    def issuer(self) -> x509.Certificate:
        """The authority that issued the leaf."""
        certificate = self.leaf.certificate
        return next(it for it in (*self.anchors, *self.intermediates) if it.subject == certificate.issuer)


def of(registry: Registry, leaf: Record, key: PrivateKey | None) -> Handover:
    """A certificate's handover: every way from its authority up to those that signed themselves, also by what
    another authority signed for the same name and key (RFC 4210 4.4). What was revoked leads nowhere.

    Raises PkiError for an authority, and where no way leads up."""
    if not leaf.identities:
        raise PkiError(f"`{leaf.name}` is an authority, not a peer", "export the certificate of a peer")
    above = registry.above(leaf.authority_id)
    if not above.anchors:
        raise PkiError(f"no authority above `{leaf.name}` can be trusted any more", "issue it anew")
    intermediates = tuple(it.certificate for it in above.intermediates)
    return Handover(leaf, key, intermediates, tuple(it.certificate for it in above.anchors))
