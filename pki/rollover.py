# SPDX-License-Identifier: ISC
"""A new authority in the place of an old one (RFC 4210 4.4), under another name: peers trust authorities by name, and
could not tell two of one name apart.

An authority by itself and its successor sign each other. A peer that trusts only the old one then believes what the
new one issues, by the certificate that the old one gave the new, and the other way round. Below a root nothing of
that is needed: whoever trusts the root believes both. Where the root goes as well, it is the roots that sign each
other.

One that was revoked is vouched for by nobody, and vouches for nobody.
"""

import contextlib
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509

from pki import authorities, authority, chain_certificates, chain_rules, recording, registry_standing
from pki.authorities import NewKey, Root, common_name
from pki.authority import Prepared
from pki.chain_certificates import ReadCertificate
from pki.directory import Directory
from pki.errors import PkiError
from pki.keys import Signer
from pki.keystore import Passphrase
from pki.locations import NOWHERE
from pki.profiles import Profile
from pki.recording import Piece
from pki.records import AuthorityRecord, Record
from pki.registry import Registry

_BELOW_A_ROOT = "no cross certificates are needed: whoever trusts the root believes what either issues"


@dataclass(frozen=True, slots=True)
class RolledOver:
    """The new authority's certificate, and what lets peers that know only the old one, or only the new, believe
    both. Where there is a new root as well, it is the roots that these are about."""

    authority: Record
    retired: Record
    cross: tuple[Record, ...]
    note: str  # why there are no cross certificates, or not all that peers may miss; empty: there are
    root: Record | None = None
    retired_root: Record | None = None


def roll_over(
    directory: Directory,
    name: str,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    *,
    kind: str | None = None,
    passphrase: Passphrase | None = None,
    root: Root | None = None,
    root_key: Path | None = None,
    signer: Signer | None = None,
    new_signer: Signer | None = None,
) -> RolledOver:
    """Make a new authority, which issues from now on, and retire the old one, which goes on signing revocation lists;
    below a new `root`, if one is to take the place of the old one's.

    `signer` is a token with the key of the authority that signs here, the old one or its root; without it that key is
    in its file, or in `root_key`. `new_signer` is one with the new key. Raises PkiError; then nothing has changed."""
    registry = directory.registry()
    old = directory.authority(registry)
    over = _over(registry, old)
    if root is not None and over is old:
        raise PkiError(f"there is no root over `{old.name}`", "leave out --root: it is replaced itself")
    if root is None and over is not old and over.certificate.revoked_at is not None:
        raise PkiError(
            f"the root `{over.name}` {_revoked(over)}: nobody would believe an authority below it",
            'replace it as well: --root "…"',
        )
    subject = authority.authority_name(name)
    root_subject = None if root is None else authority.authority_name(root.name)
    if root_subject is not None:
        authorities.check_two_names(root_subject, subject)
    for each in (subject, root_subject):
        if each is not None:
            registry.check_authority_name(each.public_bytes(), now, directory.settings().id)
    protection = None
    if signer is None:
        signer, protection = directory.unlocked(
            over.certificate, passphrase, key_file=root_key if over is not old else None
        )
    top = _Signing(over.id, chain_certificates.load(over.certificate.der), signer, _revoked(over))
    known = directory.profiles()
    profile = known["ca" if over is old else "intermediate"]
    new = NewKey(new_signer) if new_signer is not None else NewKey.made(profile, kind, protection)
    new_root = None if root is None else authorities.new_root(root, known["root"], now, protection)
    earlier = _earlier(registry, over, now)
    with directory.changing():
        recording.recover(directory, registry)
        work = _Work(directory, registry, now)
        with recording.undone_if_it_fails(directory, registry):
            if root is not None and new_root is not None:
                new_top = work.root(root, new_root)
                work.authority(subject, new, profile, new_top, lifetime, _constraints(old))
                note = _with_strangers(work.vouch(top, new_top, _cross_of_roots(known)), earlier, top, new_top)
            elif over is old:
                made = work.authority(subject, new, profile, None, lifetime, _constraints(old))
                note = _with_strangers(work.vouch(top, made, known["cross"]), earlier, top, made)
            else:
                work.authority(subject, new, profile, top, lifetime, _constraints(old))
                note = _BELOW_A_ROOT
        retired = (old.id,) if root is None else (old.id, over.id)
        records = recording.finish(directory, registry, work.pieces, now, retire=retired)
        if root is not None:
            with contextlib.suppress(
                PkiError
            ):  # forget where the root's key was put; the next command does it as well
                recording.recover(directory, registry)
    if root is None:
        return RolledOver(records[0], old.certificate, records[1:], note)
    return RolledOver(records[1], old.certificate, records[2:], note, records[0], over.certificate)


@dataclass(frozen=True, slots=True)
class _Signing:
    """An authority that signs here, and what with."""

    id: int
    certificate: ReadCertificate
    signer: Signer
    revoked: str = ""  # when and why, in words

    @property
    def name(self) -> str:
        return common_name(self.certificate.certificate.subject)

    def has_room(self, cross: Profile) -> bool:
        """For the other authority below it, and for those that may be below that."""
        constraints = chain_rules.extension(self.certificate, x509.BasicConstraints)
        needed = 1 + (cross.path_length or 0)
        return constraints is not None and (constraints.path_length is None or constraints.path_length >= needed)


class _Work:
    """The pieces of a rollover; each has taken its serial number in the registry. The caller holds the directory's
    lock."""

    def __init__(self, directory: Directory, registry: Registry, now: datetime.datetime) -> None:
        self.pieces: list[Piece] = []
        self._directory = directory
        self._registry = registry
        self._settings = directory.settings()
        self._now = now

    def root(self, root: Root, new: authorities.NewRoot) -> _Signing:
        return self._add(new.new, new.prepared, None, root.key_file)

    def authority(
        self,
        subject: x509.Name,
        new: NewKey,
        profile: Profile,
        issuer: _Signing | None,
        lifetime: datetime.timedelta | None,
        constraints: x509.NameConstraints | None,
    ) -> _Signing:
        """That issues for peers, below `issuer` or by itself."""
        prepared = authority.prepare_authority(
            subject,
            new.signer.public_key,
            recording.new_serial(),
            self._now,
            lifetime,
            profile=profile,
            issuer=None if issuer is None else issuer.certificate.certificate,
            constraints=constraints,
            locations=NOWHERE if issuer is None else self._settings.locations(issuer.id, of_authority=True),
        )
        return self._add(new, prepared, issuer)

    def vouch(self, old: _Signing, new: _Signing, profile: Profile) -> str:
        """What they sign for each other; why they do not, or not both, or empty."""
        if old.revoked:
            return (
                f"`{old.name}` {old.revoked}: no cross certificates, so peers believe `{new.name}` when they have "
                "been given its certificate, and need new ones of their own"
            )
        if self._now > old.certificate.not_after:
            return f"`{old.name}` has expired: no cross certificates"
        until = min(old.certificate.not_after, new.certificate.not_after) - self._now.replace(microsecond=0)
        missing = []
        for by, of in ((old, new), (new, old)):
            if not by.has_room(profile):
                missing.append(
                    f"the path length of `{by.name}` leaves no room for an authority below it: peers that trust only "
                    f"`{by.name}` do not believe what `{of.name}` issues"
                )
                continue
            prepared = authority.prepare_authority(
                of.certificate.certificate.subject,
                of.certificate.public_key,
                recording.new_serial(),
                self._now,
                until,
                profile=profile,
                issuer=by.certificate.certificate,
                constraints=chain_rules.extension(old.certificate, x509.NameConstraints),
            )
            name = f"{of.name}, vouched for by {by.name}"
            reserved = recording.reservation(prepared, name, self._settings.id, self._now)
            self._registry.reserve(by.id, reserved, self._now)
            self.pieces.append(Piece(by.id, reserved, prepared, by.signer))
        return "; ".join(missing)

    def _add(
        self, new: NewKey, prepared: Prepared, issuer: _Signing | None, key_file: Path | None = None
    ) -> _Signing:
        issuer_id, signer = (None, None) if issuer is None else (issuer.id, issuer.signer)
        new_id, piece = new.piece(
            prepared, issuer_id, self._registry, self._directory, self._now, signer, key_file=key_file
        )
        self.pieces.append(piece)
        return _Signing(new_id, prepared.certificate, new.signer)


def _revoked(authority: AuthorityRecord) -> str:
    """When and why it was revoked, in words; empty: it was not."""
    own = authority.certificate
    return "" if own.revoked_at is None else f"was revoked on {own.revoked_at:%Y-%m-%d} ({own.revocation_reason})"


def _over(registry: Registry, old: AuthorityRecord) -> AuthorityRecord:
    """Who signs for the authority in this place: itself, or the root over it."""
    if old.issuer_id == old.id:
        return old
    over = next(it for it in registry.authorities() if it.id == old.issuer_id)
    if over.foreign:
        raise PkiError(
            f"`{old.name}` was certified by `{over.name}`, which is not ours",
            registry_standing.REQUEST,
        )
    return over


def _earlier(registry: Registry, over: AuthorityRecord, now: datetime.datetime) -> tuple[AuthorityRecord, ...]:
    """Those that signed themselves before this one, and that peers may trust still."""
    return tuple(
        it
        for it in registry.authorities()
        if it.issuer_id == it.id != over.id and not it.foreign and it.certificate.validity(now) == "valid"
    )


def _with_strangers(note: str, earlier: Sequence[AuthorityRecord], old: _Signing, new: _Signing) -> str:
    """A cross certificate has no room for another below it, so those of two rollovers make no path."""
    strangers = (
        f"`{it.name}` and `{new.name}` do not vouch for each other: peers that trust only one of them do not believe "
        f"what the other issues; give those that trust only `{it.name}` the certificate of `{old.name}` or "
        f"`{new.name}` first"
        for it in earlier
    )
    return "; ".join(filter(None, (note, *strangers)))


def _constraints(old: AuthorityRecord) -> x509.NameConstraints | None:
    return chain_rules.extension(chain_certificates.load(old.certificate.der), x509.NameConstraints)


def _cross_of_roots(known: Mapping[str, Profile]) -> Profile:
    """Below the certificate by which one root vouches for the other stands an authority that issues."""
    cross, below = known["cross"], known["intermediate"].path_length
    if cross.path_length is None or below is None:
        return replace(cross, path_length=None)
    return replace(cross, path_length=max(cross.path_length, below + 1))
