# SPDX-License-Identifier: ISC
"""Is this peer's certificate chain good for IKE, now? (RFC 4945 section 5, RFC 5280 section 6)

`cryptography.x509.verification` builds and checks the path: signatures, validity, issuers that are authorities, path
lengths, name constraints, unknown critical extensions. It was made for TLS, so what IKE asks beyond that stands
beside it, in `chain_rules`: who may be a leaf, what its key may do, and that nobody bears the name of a configured
authority, since a policy trusts authorities by name. The common name is never looked at: subjectAltNames and whole
subjects identify. Whether something was revoked is asked of what the caller has at hand, never of anybody else
(`chain_revocation`); `registry` answers for our own authorities beside that.
"""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from cryptography import x509
from cryptography.x509 import verification

from pki import chain_certificates, chain_legacy, chain_revocation, chain_rules
from pki.chain_anchors import TrustAnchors, ValidatedChain
from pki.chain_certificates import ChainCertificate, ChainError, ReadCertificate, Reason
from pki.chain_constraints import permits_some_names_only
from pki.chain_revocation import RevocationCheck, RevocationPolicy
from pki.chain_rules import IKE_USAGES, Role
from pki.chain_walk import Path, Walk

__all__ = [
    "validate",
    "ChainCertificate",
    "ChainError",
    "IKE_USAGES",
    "Reason",
    "RevocationCheck",
    "RevocationPolicy",
    "Role",
    "TrustAnchors",
    "ValidatedChain",
]

MAX_INTERMEDIATES = 8  # beside the peer's own: a bound on the work that somebody unknown can ask for


def validate(
    leaf_der: bytes,
    intermediates_der: Sequence[bytes],
    anchors: TrustAnchors,
    now: datetime.datetime,
    *,
    role: Role | None = None,
    revocation: RevocationCheck | None = None,
    legacy: bool = False,
) -> ValidatedChain:
    """The chain from a peer's certificate to a configured authority, checked for IKE at `now` (aware).

    `intermediates_der` are the other certificates that the peer sent, in any order; those of no use are passed over.
    `role` is what the peer is to us: a gateway's certificate may be for TLS servers as well, a client's for TLS
    clients; None wants one of IKE_USAGES where there are any. `revocation` is what is known of revocations, and
    whether it has to be known; None asks nothing. Where that rests on what the peer sent, the chain `expires` when
    that is not fresh any more. `legacy` lets SHA-1 signatures and `anchors.legacy` pass, for
    single peers that cannot do better.

    Raises ChainError: `reason`, a message that names the certificate by its subject, and `hint`, what to do.
    """
    asked = (leaf_der, tuple(intermediates_der), role, legacy)
    chain = anchors.remembered(asked, now)
    if chain is not None:
        try:
            return _until(chain, chain_revocation.check(chain.certificates, revocation, now, legacy=legacy))
        except ChainError:
            pass  # another path may hold; else the search says again why this one does not
    chain, until = _search(leaf_der, intermediates_der, anchors, now, role, revocation, legacy)
    anchors.remember(asked, chain)
    return _until(chain, until)


def _until(chain: ValidatedChain, until: datetime.datetime | None) -> ValidatedChain:
    """Nothing may rest on it for longer than it is known to be good."""
    return chain if until is None or until >= chain.expires else replace(chain, expires=until)


def _search(
    leaf_der: bytes,
    intermediates_der: Sequence[bytes],
    anchors: TrustAnchors,
    now: datetime.datetime,
    role: Role | None,
    revocation: RevocationCheck | None,
    legacy: bool,
) -> tuple[ValidatedChain, datetime.datetime | None]:
    """The first path that holds, with what `chain_revocation.check` says of it. One that does not is tried again
    without the certificate that it failed for: an authority may have several certificates, and only one of them
    revoked. Raises what was wrong with the first."""
    usages = chain_rules.USAGES[role]
    leaf = chain_certificates.load(leaf_der)
    chain_rules.check_leaf(leaf, now, usages, legacy=legacy)
    if namesake := anchors.namesake(leaf):
        chain_rules.check_not_called_like(leaf, namesake)
    walk = Walk(_useful(intermediates_der, anchors), anchors.named, now, usages, legacy)
    first: ChainError | None = None
    while True:
        try:
            path = _path(leaf, walk, anchors)
            kept = tuple(anchors.kept(certificate) for certificate in path)
            until = chain_revocation.check(kept, revocation, now, legacy=legacy)
            constrained = next(
                (kept[at] for at, it in enumerate(path) if at and permits_some_names_only(it.certificate)), None
            )
            return ValidatedChain(kept, min(it.not_after for it in kept), constrained), until
        except ChainError as error:
            first = first or error
            if error.avoid is None or error.avoid == leaf.sha256:
                break
            walk = walk.avoiding(error.avoid)
    raise first


def _path(leaf: ReadCertificate, walk: Walk, anchors: TrustAnchors) -> Path:
    """The library's path, or that of the walk where legacy is wanted; leaf first. Raises ChainError."""
    fit = [certificate for certificate in walk.intermediates if _fit(certificate, leaf, walk.usages)]
    try:
        path = anchors.path(leaf, fit, walk.now, walk.avoided)
    except (verification.VerificationError, ValueError) as error:
        path = walk.path(leaf)
        if walk.legacy and chain_legacy.needed_for(path):
            return path
        raise ChainError(
            Reason.REFUSED, f"certificate `{leaf.subject}` has no valid path to an authority: {error}"
        ) from error
    for child, issuer in pairwise(path):
        chain_rules.check_key_identifiers(child, issuer)
    for at, authority in enumerate(path):
        for between in path[1:at]:
            _check_between(authority, between)
    try:
        chain_rules.check_above_leaf(path[-1], leaf, walk.usages)
    except ChainError as error:
        error.avoid = path[-1].sha256
        raise
    return path


def _check_between(authority: ReadCertificate, between: ReadCertificate) -> None:
    """The library looks at no mail addresses in subjects."""
    try:
        chain_rules.check_constraints(authority, between)
    except ChainError as error:
        error.avoid = between.sha256
        raise


def _fit(authority: ReadCertificate, leaf: ReadCertificate, usages: frozenset[x509.ObjectIdentifier]) -> bool:
    """Whether our own rules let it stand above the leaf: what they do not must not keep the library from finding
    another way."""
    try:
        chain_rules.check_authority(authority)
        chain_rules.check_above_leaf(authority, leaf, usages)
    except ChainError:
        return False
    return True


def _useful(intermediates_der: Sequence[bytes], anchors: TrustAnchors) -> tuple[ReadCertificate, ...]:
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
    return tuple(useful.values())


def _impostor(certificate: ReadCertificate, anchors: TrustAnchors) -> bool:
    """Whether it bears a configured authority's name with another key: whoever trusts that name would believe it."""
    namesake = anchors.namesake(certificate)
    return namesake is not None and namesake.public_key != certificate.public_key
