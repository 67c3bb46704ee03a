# SPDX-License-Identifier: ISC
"""Whether anything in a chain was revoked, by what the caller has at hand: lists and stapled OCSP responses.

Two questions are kept apart. *Is it revoked?* Whatever its authority's key has signed counts: a list that is stale or
from the future, or from an authority that lacks cRLSign, still revokes what it lists. *Is it known not to be?* Only
what is fresh, strong and by whom may say so counts.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from pki import ocsp_staple
from pki.chain_certificates import ChainCertificate, ChainError, Reason
from pki.ocsp_staple import Answer, Status
from pki.revocation_lists import ListsOfIssuer, RevocationList, RevocationLists, Revoked

_MAX_STAPLES = 8


class RevocationPolicy(StrEnum):
    """What it takes for a certificate to pass."""

    IF_THERE = "if there"  # what is known to be revoked is refused
    REQUIRE = "require"  # and so is what is not known to be good


@dataclass(frozen=True, slots=True)
class RevocationCheck:
    """What is known of revocations, and what is asked for. `lists` are worth keeping between calls, `staples` (DER
    OCSPResponse) are what this peer sent with its chain."""

    lists: RevocationLists = field(default_factory=RevocationLists)
    policy: RevocationPolicy = RevocationPolicy.IF_THERE
    staples: tuple[bytes, ...] = field(default=(), repr=False)


def check(
    chain: tuple[ChainCertificate, ...],
    revocation: RevocationCheck | None,
    now: datetime.datetime,
    *,
    legacy: bool = False,
) -> None:
    """Every certificate of a chain, leaf first, against what is known; `legacy`: lists signed with SHA-1 count too.

    An anchor is believed because it is configured: it passes unless it has revoked itself. Raises ChainError
    (REVOKED, REVOCATION_UNKNOWN)."""
    if revocation is None:
        return
    links = list(pairwise(chain))
    if chain[-1].self_issued:
        links.append((chain[-1], chain[-1]))
    for certificate, issuer in links:  # all of them first: that something is revoked says more than that it may be
        _check_lists(certificate, revocation.lists.of(issuer))
    for certificate, issuer in pairwise(chain):
        _check_known(certificate, issuer, revocation, now, legacy)


def _check_known(
    certificate: ChainCertificate,
    issuer: ChainCertificate,
    revocation: RevocationCheck,
    now: datetime.datetime,
    legacy: bool,
) -> None:
    lists = revocation.lists.of(issuer)
    answers = [_answer(staple, certificate, issuer, lists, now) for staple in revocation.staples[:_MAX_STAPLES]]
    for answer in answers:
        if answer.revoked is not None:
            raise _revoked(certificate, answer.revoked, f"stapled OCSP response for `{issuer.subject}`")
    if revocation.policy is RevocationPolicy.IF_THERE or any(answer.status is Status.GOOD for answer in answers):
        return
    doubts = [doubt for one in lists.signed if (doubt := _doubt(one, lists, now, legacy))]
    if len(doubts) < len(lists.signed):
        return
    why = [*_missing(lists), *doubts, *(f"stapled OCSP response: {answer.why}" for answer in answers)]
    raise ChainError(
        Reason.REVOCATION_UNKNOWN,
        f"it is not known whether certificate `{certificate.subject}` is revoked by `{issuer.subject}`: "
        f"{'; '.join(why)}",
        "fetch the authority's revocation list",
        avoid=issuer.sha256,
    )


def _check_lists(certificate: ChainCertificate, lists: ListsOfIssuer) -> None:
    """The newest list decides, since an older one may have what was on hold and is no more; one that is signed with
    SHA-1 can only add to that."""
    for one in lists.signed:
        if revoked := one.revoked.get(certificate.serial_number):
            raise _revoked(certificate, revoked, one.shown)
        if not one.is_sha1:
            return


def _revoked(certificate: ChainCertificate, revoked: Revoked, source: str) -> ChainError:
    reason = f": {revoked.reason}" if revoked.reason else ""
    return ChainError(
        Reason.REVOKED,
        f"certificate `{certificate.subject}` was revoked on {revoked.at:%Y-%m-%d %H:%M:%SZ}{reason} ({source})",
        "have another issued",
        avoid=certificate.sha256,
    )


def _answer(
    staple: bytes,
    certificate: ChainCertificate,
    issuer: ChainCertificate,
    lists: ListsOfIssuer,
    now: datetime.datetime,
) -> Answer:
    answer = ocsp_staple.answer(staple, certificate, issuer, now)
    if answer.responder is not None and any(answer.responder in one.revoked for one in lists.signed[:1]):
        return Answer(Status.NO_ANSWER, "the responder's certificate is revoked")
    return answer


def _missing(lists: ListsOfIssuer) -> Iterator[str]:
    if not lists.signed:
        yield "no revocation list is there" if not lists.others else "a revocation list is signed with another key"


def _doubt(one: RevocationList, lists: ListsOfIssuer, now: datetime.datetime, legacy: bool) -> str:
    """Why a list that does not have a certificate does not show that it is good; "" where it does."""
    if not lists.may_sign:
        return f"{one.shown}: the authority may not sign lists, its keyUsage lacks cRLSign"
    if one.is_sha1 and not legacy:
        return f"{one.shown} is signed with sha1, which is not trusted any more"
    if now < one.this_update:
        return f"{one.shown} is from the future"
    if one.next_update is None:
        return f"{one.shown} does not say when the next is due"
    if now > one.next_update:
        return f"{one.shown} is stale since {one.next_update:%Y-%m-%d %H:%M:%SZ}"
    return ""
