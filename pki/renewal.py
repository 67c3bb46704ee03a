# SPDX-License-Identifier: ISC
"""Another certificate for the same holder: with the same key, or with a new one. Both are valid at the same time; the
registry knows which follows which."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from pki import carrying, keys, profiles
from pki.candidates import SERIAL_SHOWN, holds
from pki.carrying import LeftBehind
from pki.chain_certificates import ReadCertificate
from pki.delegation_records import DelegationRecord, Draft
from pki.errors import PkiError
from pki.issuance import Issuer, Review, Wanted, unreviewed
from pki.profiles import Profile
from pki.records import Record


@dataclass(frozen=True, slots=True)
class Followed:
    """The new certificate, and the one that it follows; what was delegated to the holder and goes on, as it was and
    as it is now, and what does not."""

    record: Record
    follows: Record
    delegations: tuple[tuple[int, DelegationRecord], ...] = ()
    left: tuple[LeftBehind, ...] = ()


def renew(
    issuer: Issuer,
    text: str,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    *,
    review: Review = unreviewed,
) -> Followed:
    """A new certificate for the key of the one that `text` finds, with the same names. Delegations that were issued
    with that one go on (`carrying`). Raises PkiError."""
    old = _holder(issuer, text, now)
    return _follow(issuer, old, now, lifetime, old.certificate.public_key(), None, review)


def rekey(
    issuer: Issuer,
    text: str,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    *,
    kind: str | None = None,
    public_key: CertificatePublicKeyTypes | None = None,
    supersedes: bool = False,
    review: Review = unreviewed,
) -> Followed:
    """The same for a new key of `kind`, by default that of the old one; or for one that its holder made. If it
    `supersedes` the old certificate, that is revoked with the issue. Delegations to the old key do not go on.
    Raises PkiError."""
    old = _holder(issuer, text, now)
    if public_key is not None and keys.key_sha256(public_key) == old.key_sha256:
        raise PkiError(f"this is the key that `{old.name}` has", "make a new one, or renew: keynote-pki renew")
    if kind is None and public_key is None:
        profile = _profile(issuer.directory.profiles(), old)
        found = keys.kind(old.certificate.public_key())
        kind = found if found in profile.keys else profile.key
    return _follow(issuer, old, now, lifetime, public_key, kind, review, supersedes)


def _holder(issuer: Issuer, text: str, now: datetime.datetime) -> Record:
    old = issuer.newest(text, now)
    if not old.identities:
        raise PkiError(
            f"`{old.name}` is an authority, not a peer", 'make another authority: keynote-pki rollover --name "…"'
        )
    if old.validity(now) == "expired":
        _check_free(issuer, old, now)
    return old


def _check_free(issuer: Issuer, old: Record, now: datetime.datetime) -> None:
    """Whoever held the name before it ended is not who it was issued to anew, with another key. Raises PkiError."""
    found = issuer.registry.find(old.name)
    holding = [it for it in found if it.name == old.name and it.directory == old.directory and holds(it, now)]
    if holding and all(it.key_sha256 != old.key_sha256 for it in holding):
        raise PkiError(
            f"`{old.name}` has another certificate, with another key (serial {holding[0].serial}), and this one "
            f"expired on {old.not_after:%Y-%m-%d}: an identity has one holder at a time",
            f"to go on with that one: keynote-pki renew {holding[0].serial[:SERIAL_SHOWN]}",
        )


def _follow(
    issuer: Issuer,
    old: Record,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None,
    public_key: CertificatePublicKeyTypes | None,
    kind: str | None,
    review: Review,
    supersedes: bool = False,
) -> Followed:
    profile = _profile(issuer.directory.profiles(), old)
    subject = old.certificate.subject
    gone_on = carrying.Carried()

    def go_on(certificate: ReadCertificate) -> tuple[Draft, ...]:
        nonlocal gone_on
        gone_on = carrying.carried(
            issuer.directory, issuer.registry, old, certificate, now, lambda path: issuer.passphrase or b""
        )
        return gone_on.drafts

    wanted = Wanted(
        profile,
        old.identities,
        lifetime,
        subject=subject,
        kind=kind,
        public_key=public_key,
        follows=old,
        supersedes=supersedes,
        delegations=go_on,
        review=review,
    )
    record = issuer.issue(wanted, now)
    made = issuer.registry.delegations.issued_with(record.sha256) if gone_on.drafts else ()
    numbers = [draft.carries_on for draft in gone_on.drafts if draft.carries_on is not None]
    return Followed(record, old, tuple(zip(numbers, made, strict=True)), gone_on.left)


def _profile(known: Mapping[str, Profile], old: Record) -> Profile:
    if old.profile not in known:
        raise PkiError(
            f"`{old.name}` was issued by profile `{old.profile}`, which is not there any more",
            "put it into profiles.toml again",
        )
    return profiles.named(known, old.profile)
