# SPDX-License-Identifier: ISC
"""Is this peer's certificate chain good for IKE, now? (RFC 4945 section 5, RFC 5280 section 6)

`cryptography.x509.verification` builds and checks the path: signatures, validity, issuers that are authorities, path
lengths, name constraints, unknown critical extensions. It was made for TLS, so what IKE asks beyond that stands
beside it, in `chain_rules`: who may be a leaf, what its key may do, and that nobody bears the name of a configured
authority, since a policy trusts authorities by name. The common name is never looked at: subjectAltNames and whole
subjects identify. Revocation is not decided here: `registry` answers for our own authorities.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509 import verification

from pki import chain_certificates, chain_diagnosis, chain_rules
from pki.chain_certificates import ChainCertificate, ChainError, ReadCertificate, Reason
from pki.chain_rules import IKE_USAGES

__all__ = ["ChainCertificate", "ChainError", "IKE_USAGES", "Reason", "TrustAnchors", "ValidatedChain", "validate"]

MAX_INTERMEDIATES = 8  # beside the peer's own: a bound on the work that somebody unknown can ask for
_MAX_REMEMBERED = 1024  # chains that held
_MAX_DEPTH = 5  # authorities between leaf and anchor

_CA_POLICY = verification.ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
)
_LEAF_POLICY = verification.ExtensionPolicy.permit_all()


@dataclass(frozen=True, slots=True)
class ValidatedChain:
    """A chain that held at the time it was asked about: the leaf first, the trust anchor last."""

    certificates: tuple[ChainCertificate, ...]
    expires: datetime.datetime  # the earliest not_after: nothing that rests on this chain may outlive it

    @property
    def leaf(self) -> ChainCertificate:
        return self.certificates[0]

    @property
    def begins(self) -> datetime.datetime:
        """The latest not_before."""
        return max(certificate.not_before for certificate in self.certificates)


Asked = tuple[bytes, tuple[bytes, ...], frozenset[x509.ObjectIdentifier]]  # what `validate` was asked about


class TrustAnchors:
    """The configured authorities, read once; they do not change. What was validated against them is remembered.

    Raises ChainError for a certificate that is no authority's and for two authorities of one name (look-alikes by
    RFC 5280 7.1 included): a policy that trusts the name could not tell them apart. Two certificates of one
    authority, same name and same key, are fine, and the same certificate twice is one.
    """

    __slots__ = (
        "_by_certificate",
        "_by_folded_subject",
        "_by_subject",
        "_kept",
        "_remembered",
        "_store",
        "certificates",
    )

    def __init__(self, certificates: Sequence[x509.Certificate]) -> None:
        self._by_certificate = {certificate: _read_anchor(certificate) for certificate in certificates}
        self.certificates = tuple(self._by_certificate.values())
        self._kept = {anchor: anchor.kept() for anchor in self.certificates}
        self._remembered: dict[Asked, ValidatedChain] = {}
        self._by_subject: dict[bytes, list[ReadCertificate]] = {}
        self._by_folded_subject: dict[object, ReadCertificate] = {}
        for anchor in self.certificates:
            namesake = self._by_folded_subject.setdefault(anchor.folded_subject, anchor)
            if namesake.subject_der != anchor.subject_der or namesake.public_key != anchor.public_key:
                raise _ambiguous(namesake, anchor)
            self._by_subject.setdefault(anchor.subject_der, []).append(anchor)
        self._store = verification.Store(list(self._by_certificate)) if self.certificates else None

    def named(self, subject_der: bytes) -> Sequence[ReadCertificate]:
        """The certificates of the authority with exactly this subject."""
        return self._by_subject.get(subject_der, ())

    def namesake(self, certificate: ReadCertificate) -> ReadCertificate | None:
        """The configured authority whose subject is, or looks like, this certificate's."""
        return self._by_folded_subject.get(certificate.folded_subject)

    def kept(self, certificate: ReadCertificate) -> ChainCertificate:
        """As chains keep it; all chains share what they have of an authority."""
        return self._kept.get(certificate) or certificate.kept()

    def remembered(self, asked: Asked, now: datetime.datetime) -> ValidatedChain | None:
        """The chain that these certificates gave before, if all of it is valid at `now`: nothing else in the answer
        depends on time. A peer that comes again, to rekey or after a break, costs next to nothing."""
        chain = self._remembered.get(asked)
        if chain is None or not chain.begins <= now <= chain.expires:
            return None
        return chain

    def remember(self, asked: Asked, chain: ValidatedChain) -> None:
        """Refusals are not kept: strangers could fill the memory with them."""
        if len(self._remembered) >= _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[asked] = chain

    def path(
        self, leaf: ReadCertificate, intermediates: Sequence[ReadCertificate], now: datetime.datetime
    ) -> tuple[ReadCertificate, ...]:
        """The path that the library finds, leaf first. Raises verification.VerificationError or ValueError."""
        if self._store is None:
            raise verification.VerificationError("no authority is configured")
        verifier = (
            verification.PolicyBuilder()
            .store(self._store)
            .time(now)
            .max_chain_depth(_MAX_DEPTH)
            .extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)
            .build_client_verifier()
        )
        sent = {other.certificate: other for other in (leaf, *intermediates)}
        path = verifier.verify(leaf.certificate, [other.certificate for other in intermediates]).chain
        return tuple(self._by_certificate.get(certificate) or sent[certificate] for certificate in path)


def validate(
    leaf_der: bytes,
    intermediates_der: Sequence[bytes],
    anchors: TrustAnchors,
    now: datetime.datetime,
    *,
    usages: frozenset[x509.ObjectIdentifier] = IKE_USAGES,
) -> ValidatedChain:
    """The chain from a peer's certificate to a configured authority, checked for IKE at `now` (aware).

    `intermediates_der` are the other certificates that the peer sent, in any order; those of no use are passed over.
    `usages` are the extended key usages of which a certificate that has any must have one.

    Raises ChainError: `reason`, a message that names the certificate by its subject, and `hint`, what to do.
    """
    asked = (leaf_der, tuple(intermediates_der), usages)
    remembered = anchors.remembered(asked, now)
    if remembered is not None:
        return remembered
    chain = _validated(leaf_der, intermediates_der, anchors, now, usages)
    anchors.remember(asked, chain)
    return chain


def _validated(
    leaf_der: bytes,
    intermediates_der: Sequence[bytes],
    anchors: TrustAnchors,
    now: datetime.datetime,
    usages: frozenset[x509.ObjectIdentifier],
) -> ValidatedChain:
    leaf = chain_certificates.load(leaf_der)
    chain_rules.check_leaf(leaf, now, usages)
    if namesake := anchors.namesake(leaf):
        raise _bears_subject(leaf, namesake)
    intermediates = _useful(intermediates_der, anchors)
    try:
        path = anchors.path(leaf, intermediates, now)
    except (verification.VerificationError, ValueError) as error:
        chain_diagnosis.explain(leaf, intermediates, anchors.named, now, str(error))
    for authority in path[1:]:
        chain_rules.check_authority(authority)
        chain_rules.check_usages(authority, usages)
        chain_rules.check_constraints(authority, leaf)
        if authority.folded_subject == leaf.folded_subject:
            raise _bears_subject(leaf, authority)
    kept = tuple(anchors.kept(certificate) for certificate in path)
    return ValidatedChain(kept, min(certificate.not_after for certificate in kept))


def _read_anchor(certificate: x509.Certificate) -> ReadCertificate:
    anchor = chain_certificates.from_certificate(certificate)
    chain_rules.check_authority(anchor)
    return anchor


def _useful(intermediates_der: Sequence[bytes], anchors: TrustAnchors) -> list[ReadCertificate]:
    """What may link a leaf to an anchor. A root is trusted because it is configured, never because a peer sent it."""
    if len(intermediates_der) > MAX_INTERMEDIATES:
        raise ChainError(
            Reason.MALFORMED,
            f"the peer sent {len(intermediates_der)} certificates beside its own, more than {MAX_INTERMEDIATES}",
            "have it send only the authorities between its certificate and ours",
        )
    useful = {}
    for der in intermediates_der:
        try:
            certificate = chain_certificates.load(der)
        except ChainError:
            continue
        if not certificate.self_issued and not _impostor(certificate, anchors):
            useful[certificate.sha256] = certificate
    return list(useful.values())


def _impostor(certificate: ReadCertificate, anchors: TrustAnchors) -> bool:
    """Whether it bears a configured authority's name with another key: whoever trusts that name would believe it."""
    namesake = anchors.namesake(certificate)
    return namesake is not None and namesake.public_key != certificate.public_key


def _bears_subject(certificate: ReadCertificate, authority: ReadCertificate) -> ChainError:
    return ChainError(
        Reason.AUTHORITY_SUBJECT,
        f"certificate `{certificate.subject}` bears the subject of the authority `{authority.subject}`",
        "nobody may be called like an authority: have it issued under another subject",
    )


def _ambiguous(one: ReadCertificate, other: ReadCertificate) -> ChainError:
    return ChainError(
        Reason.AMBIGUOUS_AUTHORITY,
        f"two authorities have one name: `{one.subject}` (sha256 {one.sha256.hex()[:16]}…) "
        f"and `{other.subject}` (sha256 {other.sha256.hex()[:16]}…)",
        "keep one of them, or have one issued under another name",
    )
