# SPDX-License-Identifier: ISC
"""The configured authorities, and the paths that the library finds to them."""

import datetime
from collections.abc import Sequence, Set
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509 import verification

from pki import chain_certificates, chain_legacy, chain_rules
from pki.chain_certificates import ChainCertificate, ChainError, ReadCertificate, Reason
from pki.chain_rules import Role
from pki.chain_walk import MAX_DEPTH

_MAX_REMEMBERED = 1024  # chains that held

_CA_POLICY = verification.ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
)
_LEAF_POLICY = verification.ExtensionPolicy.permit_all()


@dataclass(frozen=True, slots=True)
class ValidatedChain:
    """A chain that held at the time it was asked about: the leaf first, the trust anchor last."""

    certificates: tuple[ChainCertificate, ...]
    expires: datetime.datetime  # the earliest not_after, or before: nothing that rests on this chain may outlive it
    # The authority that may certify only other names than whole subjects, if one of them is such: then the leaf's is
    # no identity.
    constrained_by: ChainCertificate | None = None

    @property
    def leaf(self) -> ChainCertificate:
        return self.certificates[0]

    @property
    def begins(self) -> datetime.datetime:
        """The latest not_before."""
        return max(certificate.not_before for certificate in self.certificates)


Asked = tuple[bytes, tuple[bytes, ...], Role | None, bool]  # what `validate` was asked about


class TrustAnchors:
    """The configured authorities, read once; they do not change. What was validated against them is remembered.

    `legacy` are authorities for legacy peers alone, those of X.509 version 1 among them.

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
        "legacy",
    )

    def __init__(self, certificates: Sequence[x509.Certificate], *, legacy: Sequence[x509.Certificate] = ()) -> None:
        self._by_certificate = {certificate: _read_anchor(certificate) for certificate in certificates}
        self.certificates = tuple(self._by_certificate.values())
        only_legacy = {certificate: _read_legacy_anchor(certificate) for certificate in legacy}
        self.legacy = tuple(anchor for anchor in only_legacy.values() if anchor not in self.certificates)
        anchors = (*self.certificates, *self.legacy)
        self._kept = {anchor: anchor.kept() for anchor in anchors}
        self._remembered: dict[Asked, tuple[datetime.datetime, ValidatedChain]] = {}  # with when each begins
        self._by_subject: dict[bytes, list[ReadCertificate]] = {}
        self._by_folded_subject: dict[object, ReadCertificate] = {}
        for anchor in anchors:
            namesake = self._by_folded_subject.setdefault(anchor.folded_subject, anchor)
            if namesake.subject_der != anchor.subject_der or namesake.public_key != anchor.public_key:
                raise _ambiguous(namesake, anchor)
            self._by_subject.setdefault(anchor.subject_der, []).append(anchor)
        self._store = verification.Store(list(self._by_certificate)) if self.certificates else None

    def named(self, subject_der: bytes) -> Sequence[ReadCertificate]:
        """The certificates of the authority with exactly this subject, those for legacy peers included."""
        return self._by_subject.get(subject_der, ())

    def namesake(self, certificate: ReadCertificate) -> ReadCertificate | None:
        """The configured authority whose subject is, or looks like, this certificate's."""
        return self._by_folded_subject.get(certificate.folded_subject)

    def kept(self, certificate: ReadCertificate) -> ChainCertificate:
        """As chains keep it; all chains share what they have of an authority."""
        return self._kept.get(certificate) or certificate.kept()

    def remembered(self, asked: Asked, now: datetime.datetime) -> ValidatedChain | None:
        """The chain that these certificates gave before, if all of it is valid at `now`: nothing else in the answer
        depends on time but revocation, which is asked about every time. A peer that comes again, to rekey or after a
        break, costs next to nothing."""
        begins, chain = self._remembered.get(asked, (now, None))
        return chain if chain is not None and begins <= now <= chain.expires else None

    def remember(self, asked: Asked, chain: ValidatedChain) -> None:
        """Refusals are not kept: strangers could fill the memory with them."""
        if len(self._remembered) >= _MAX_REMEMBERED and asked not in self._remembered:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[asked] = chain.begins, chain

    def path(
        self,
        leaf: ReadCertificate,
        intermediates: Sequence[ReadCertificate],
        now: datetime.datetime,
        without: Set[bytes] = frozenset(),
    ) -> tuple[ReadCertificate, ...]:
        """The path that the library finds, leaf first, to an anchor that is not `without` (SHA-256).

        Raises verification.VerificationError or ValueError."""
        store = self._store
        if without:
            others = [
                certificate for certificate, anchor in self._by_certificate.items() if anchor.sha256 not in without
            ]
            store = verification.Store(others) if others else None
        if store is None:
            raise verification.VerificationError("no authority is configured")
        verifier = (
            verification.PolicyBuilder()
            .store(store)
            .time(now)
            .max_chain_depth(MAX_DEPTH)
            .extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)
            .build_client_verifier()
        )
        sent = {other.certificate: other for other in (leaf, *intermediates)}
        path = verifier.verify(leaf.certificate, [other.certificate for other in intermediates]).chain
        return tuple(self._by_certificate.get(certificate) or sent[certificate] for certificate in path)


def _read_anchor(certificate: x509.Certificate) -> ReadCertificate:
    anchor = chain_certificates.from_certificate(certificate)
    chain_rules.check_authority(anchor)
    return anchor


def _read_legacy_anchor(certificate: x509.Certificate) -> ReadCertificate:
    anchor = chain_certificates.from_certificate(certificate)
    chain_legacy.check_anchor(anchor)
    return anchor


def _ambiguous(one: ReadCertificate, other: ReadCertificate) -> ChainError:
    return ChainError(
        Reason.AMBIGUOUS_AUTHORITY,
        f"two authorities have one name: `{one.subject}` (sha256 {one.sha256.hex()[:16]}…) "
        f"and `{other.subject}` (sha256 {other.sha256.hex()[:16]}…)",
        "keep one of them, or have one issued under another name",
    )
