# SPDX-License-Identifier: ISC
"""Why the library found no path: it says which rule failed, people ask which certificate and what to do."""

import datetime
from collections.abc import Callable, Sequence
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pki import chain_rules
from pki.chain_certificates import ChainError, ReadCertificate, Reason

_MAX_STEPS = 8

FindAnchors = Callable[[bytes], Sequence[ReadCertificate]]


def explain(
    leaf: ReadCertificate,
    intermediates: Sequence[ReadCertificate],
    anchors: FindAnchors,
    now: datetime.datetime,
    words: str,
) -> NoReturn:
    """Walk the path that the issuers' names suggest and raise the first thing wrong as ChainError; else the library's
    words. It decides nothing: the chain is refused already."""
    path = [leaf]
    for _ in range(_MAX_STEPS):
        issuer, trusted = _issuer(path[-1], intermediates, anchors, now)
        path.append(issuer)
        if trusted:
            break
    _check_lengths(path)
    if any(chain_rules.extension(issuer, x509.NameConstraints) for issuer in path[1:]):
        raise ChainError(
            Reason.NAME_CONSTRAINTS,
            f"certificate `{leaf.subject}` is outside the name constraints of its authorities: {words}",
            "have it issued by an authority that may issue for its names",
        )
    raise ChainError(Reason.REFUSED, f"certificate `{leaf.subject}` has no valid path to an authority: {words}")


def _issuer(
    child: ReadCertificate, intermediates: Sequence[ReadCertificate], anchors: FindAnchors, now: datetime.datetime
) -> tuple[ReadCertificate, bool]:
    """The certificate that issued `child` and whether it is an anchor. Raises ChainError where none did, or what is
    wrong with the one that looks most like it."""
    trusted = anchors(child.issuer_der)
    candidates = [*trusted, *(other for other in intermediates if other.subject_der == child.issuer_der)]
    if not candidates:
        raise ChainError(
            Reason.UNKNOWN_AUTHORITY,
            f"certificate `{child.subject}` was issued by `{child.issuer}`, which is no authority known here",
            "have the peer send the authorities between, or add the authority's certificate if you trust it",
        )
    problem: ChainError | None = None
    for candidate in candidates:
        try:
            _check_issued(child, candidate, now)
        except ChainError as error:
            if problem is None or problem.reason is Reason.BAD_SIGNATURE:
                problem = error
        else:
            return candidate, candidate in trusted
    assert problem is not None  # there was a candidate, and none passed
    raise problem


def _check_issued(child: ReadCertificate, issuer: ReadCertificate, now: datetime.datetime) -> None:
    try:
        child.certificate.verify_directly_issued_by(issuer.certificate)
    except InvalidSignature as error:
        raise ChainError(
            Reason.BAD_SIGNATURE,
            f"certificate `{child.subject}` is not signed with the key of `{issuer.subject}` that is known here",
            "another authority has the same name, or the certificate was altered",
        ) from error
    except (ValueError, TypeError) as error:
        raise ChainError(
            Reason.UNSUPPORTED_ALGORITHM, f"signature of certificate `{child.subject}` cannot be checked: {error}"
        ) from error
    chain_rules.check_authority(issuer)
    chain_rules.check_validity(issuer, now)
    if not issuer.self_issued:
        chain_rules.check_signature_algorithm(issuer)


def _check_lengths(path: Sequence[ReadCertificate]) -> None:
    for below, issuer in enumerate(path[1:]):
        constraints = chain_rules.extension(issuer, x509.BasicConstraints)
        if constraints is not None and constraints.path_length is not None and below > constraints.path_length:
            raise ChainError(
                Reason.PATH_LENGTH,
                f"authority `{issuer.subject}` may have {constraints.path_length} authorities below it, "
                f"the path to `{path[0].subject}` has {below}",
                "have the certificate issued by an authority nearer to it",
            )
