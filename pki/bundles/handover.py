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
    authorities = {authority.id: authority.certificate for authority in registry.authorities()}
    intermediates: list[Record] = []
    anchors: list[Record] = []
    above, seen = [leaf.authority_id], set[int]()
    while above:
        number = above.pop(0)
        if number in seen or number not in authorities:
            continue
        seen.add(number)
        own = authorities[number]
        for record in registry.find(f"DN:{own.subject}"):
            if record.key_sha256 != own.key_sha256 or record.revoked_at is not None:
                continue
            if record.certificate.issuer == record.certificate.subject and record.authority_id == number:
                anchors.append(record)
            else:
                intermediates.append(record)
                above.append(record.authority_id)
    if not anchors:
        raise PkiError(f"no authority above `{leaf.name}` can be trusted any more", "issue it anew")
    return Handover(leaf, key, tuple(it.certificate for it in intermediates), tuple(it.certificate for it in anchors))
