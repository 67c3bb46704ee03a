# SPDX-License-Identifier: ISC
"""Whether anything in a chain was revoked, by what the caller has at hand: lists, and lists and OCSP responses
that the peer sent.

Two questions are kept apart. *Is it revoked?* Whatever its authority's key has signed counts: a list that is stale or
from the future, or from an authority that lacks cRLSign, still revokes what it lists. *Is it known not to be?* Only
what is fresh, strong and by whom may say so counts.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from pki import ocsp_staple, sent_lists
from pki.chain_certificates import ChainCertificate, ChainError, Reason
from pki.ocsp_staple import Answer, Status
from pki.revocation_lists import ListsOfIssuer, RevocationList, RevocationLists, Revoked, age
from pki.sent_lists import SentLists

_MAX_STAPLES = 8
_NOTHING_SENT = SentLists()


class RevocationPolicy(StrEnum):
    """What it takes for a certificate to pass."""

    IF_THERE = "if there"  # what is known to be revoked is refused
    REQUIRE = "require"  # and so is what is not known to be good


@dataclass(frozen=True, slots=True)
class RevocationCheck:
    """What is known of revocations, and what is asked for. `lists` are worth keeping between calls; `staples` (DER
    OCSPResponse) and `sent` (DER CertificateList) are what this peer sent with its chain."""

    lists: RevocationLists = field(default_factory=RevocationLists)
    policy: RevocationPolicy = RevocationPolicy.IF_THERE
    staples: tuple[bytes, ...] = field(default=(), repr=False)
    sent: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def lenient(self) -> bool:
        """Whether everything passes: nothing is known, and nothing has to be."""
        return self.policy is RevocationPolicy.IF_THERE and not (self.lists or self.staples or self.sent)


@dataclass(frozen=True, slots=True)
class _Known:
    """Of one authority: the lists at hand, what the peer sent, and both together, the newest first."""

    here: ListsOfIssuer
    sent: SentLists
    all: tuple[RevocationList, ...]

    def shown(self, one: RevocationList) -> str:
        return one.shown if one in self.here.signed else f"{one.shown}, sent by the peer"

    def newest_has(self, serial: int) -> bool:
        """The newest of the lists at hand, or of all."""
        return any(serial in one.revoked for lists in (self.here.signed, self.all) for one in lists[:1])


def check(
    chain: tuple[ChainCertificate, ...],
    revocation: RevocationCheck | None,
    now: datetime.datetime,
    *,
    legacy: bool = False,
) -> datetime.datetime | None:
    """Every certificate of a chain, leaf first, against what is known; `legacy`: lists signed with SHA-1 count too.

    An anchor is believed because it is configured: it passes unless it has revoked itself. Returns until when the
    chain is known to be good where that rests on what the peer sent, which nobody will fetch again; else None.
    Raises ChainError (REVOKED, REVOCATION_UNKNOWN)."""
    if revocation is None or revocation.lenient:
        return None
    known = {issuer.sha256: _known(issuer, revocation) for issuer in chain[1:] or chain}
    links = list(pairwise(chain))
    if chain[-1].self_issued:
        links.append((chain[-1], chain[-1]))
    for certificate, issuer in links:  # all of them first: that something is revoked says more than that it may be
        _check_lists(certificate, known[issuer.sha256])
    ends = [
        _check_known(certificate, issuer, known[issuer.sha256], revocation, now, legacy)
        for certificate, issuer in pairwise(chain)
    ]
    return min((end for end in ends if end is not None), default=None)


def _known(issuer: ChainCertificate, revocation: RevocationCheck) -> _Known:
    here = revocation.lists.of(issuer)
    sent = sent_lists.of(issuer, revocation.sent) if revocation.sent else _NOTHING_SENT
    if not sent.signed:
        return _Known(here, sent, here.signed)
    return _Known(here, sent, tuple(sorted(dict.fromkeys((*here.signed, *sent.signed)), key=age, reverse=True)))


def _check_known(
    certificate: ChainCertificate,
    issuer: ChainCertificate,
    known: _Known,
    revocation: RevocationCheck,
    now: datetime.datetime,
    legacy: bool,
) -> datetime.datetime | None:
    answers = [_answer(staple, certificate, issuer, known, now) for staple in revocation.staples[:_MAX_STAPLES]]
    for answer in answers:
        if answer.revoked is not None:
            raise _revoked(certificate, answer.revoked, f"stapled OCSP response for `{issuer.subject}`")
    if revocation.policy is RevocationPolicy.IF_THERE:
        return None
    if any(not _doubt(one, known, now, legacy) for one in known.here.signed):
        return None
    doubts = {one: _doubt(one, known, now, legacy) for one in known.all}
    ends = [answer.until for answer in answers if answer.until is not None]
    ends += [one.next_update for one, doubt in doubts.items() if not doubt and one.next_update is not None]
    if ends:
        return max(ends)
    why = [*_missing(known), *doubts.values(), *(f"stapled OCSP response: {answer.why}" for answer in answers)]
    raise ChainError(
        Reason.REVOCATION_UNKNOWN,
        f"it is not known whether certificate `{certificate.subject}` is revoked by `{issuer.subject}`: "
        f"{'; '.join(why)}",
        "fetch the authority's revocation list",
        avoid=issuer.sha256,
    )


def _check_lists(certificate: ChainCertificate, known: _Known) -> None:
    """What is at hand decides by itself, so that nothing that a peer sends takes a revocation back; then all."""
    for lists in (known.here.signed, known.all) if known.sent.signed else (known.here.signed,):
        for one in lists:
            if revoked := one.revoked.get(certificate.serial_number):
                raise _revoked(certificate, revoked, known.shown(one))
            # The newest list decides, since an older one may have what was on hold and is no more; one that is signed
            # with SHA-1 can only add to that.
            if not one.is_sha1:
                break


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
    known: _Known,
    now: datetime.datetime,
) -> Answer:
    answer = ocsp_staple.answer(staple, certificate, issuer, now)
    if answer.responder is not None and known.newest_has(answer.responder):
        return Answer(Status.NO_ANSWER, "the responder's certificate is revoked")
    return answer


def _missing(known: _Known) -> Iterator[str]:
    if not known.here.signed:
        others = known.here.others
        yield "a revocation list is signed with another key" if others else "no revocation list is there"
    yield from (f"sent by the peer: {wrong}" for wrong in known.sent.wrong)


def _doubt(one: RevocationList, known: _Known, now: datetime.datetime, legacy: bool) -> str:
    """Why a list that does not have a certificate does not show that it is good; "" where it does."""
    if not known.here.may_sign:
        return f"{known.shown(one)}: the authority may not sign lists, its keyUsage lacks cRLSign"
    if one.is_sha1 and not legacy:
        return f"{known.shown(one)} is signed with sha1, which is not trusted any more"
    if now < one.this_update:
        return f"{known.shown(one)} is from the future"
    if one.next_update is None:
        return f"{known.shown(one)} does not say when the next is due"
    if now > one.next_update:
        return f"{known.shown(one)} is stale since {one.next_update:%Y-%m-%d %H:%M:%SZ}"
    return ""
