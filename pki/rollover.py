# SPDX-License-Identifier: ISC
"""A new authority in the place of an old one (RFC 4210 4.4), under another name: peers trust authorities by name, and
could not tell two of one name apart.

An authority by itself and its successor sign each other. A peer that trusts only the old one then believes what the
new one issues, by the certificate that the old one gave the new, and the other way round. Below a root nothing of
that is needed: whoever trusts the root believes both.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from pki import authority, chain_certificates, chain_rules, recording
from pki.authorities import NewKey, common_name
from pki.authority import Prepared
from pki.chain_certificates import ReadCertificate
from pki.directory import Directory
from pki.errors import NameInvalid, PkiError
from pki.keys import Signer
from pki.keystore import Passphrase
from pki.profiles import Profile
from pki.recording import Piece
from pki.records import AuthorityRecord, Record
from pki.registry import Registry


@dataclass(frozen=True, slots=True)
class RolledOver:
    """The new authority's certificate, and what lets peers that know only the old one, or only the new, believe
    both."""

    authority: Record
    retired: Record
    cross: tuple[Record, ...]
    note: str  # why there are no cross certificates, or not both; empty: there are


@dataclass(frozen=True, slots=True)
class _Cross:
    """What one authority is to vouch for the other by."""

    prepared: Prepared
    name: str
    by_new: bool


def roll_over(
    directory: Directory,
    name: str,
    now: datetime.datetime,
    lifetime: datetime.timedelta | None = None,
    *,
    kind: str | None = None,
    passphrase: Passphrase | None = None,
    root_key: Path | None = None,
    signer: Signer | None = None,
    new_signer: Signer | None = None,
) -> RolledOver:
    """Make a new authority, which issues from now on, and retire the old one, which goes on signing revocation lists.

    `signer` is a token with the key of the authority that signs here, the old one or its root; without it that key is
    in its file, or in `root_key`. `new_signer` is one with the new key. Raises PkiError; then nothing has changed."""
    registry = directory.registry()
    old = directory.authority(registry)
    over = _over(registry, old)
    protection = None
    if signer is None:
        signer, protection = directory.unlocked(
            over.certificate, passphrase, key_file=root_key if over is not old else None
        )
    known = directory.profiles()
    profile = known["ca" if over is old else "intermediate"]
    new = NewKey(new_signer) if new_signer is not None else NewKey.made(profile, kind, protection)
    read_old = chain_certificates.load(old.certificate.der)
    settings = directory.settings()
    prepared = authority.prepare_authority(
        authority.authority_name(name),
        new.signer.public_key,
        recording.new_serial(),
        now,
        lifetime,
        profile=profile,
        issuer=None if over is old else over.certificate.certificate,
        constraints=chain_rules.extension(read_old, x509.NameConstraints),
        locations=settings.locations(over.id, of_authority=True),
    )
    _check_other_name(registry, prepared)
    crosses, note = _crosses(read_old, prepared, known["cross"], now) if over is old else ((), _BELOW_A_ROOT)
    with directory.changing():
        recording.recover(directory, registry)
        with recording.undone_if_it_fails(directory, registry):
            issuer_id, by = (None, None) if over is old else (over.id, signer)
            new_id, piece = new.piece(prepared, issuer_id, registry, directory, now, by)
            pieces = [piece]
            for cross in crosses:
                reserved = recording.reservation(cross.prepared, cross.name, settings.id, now)
                by_id, by = (new_id, new.signer) if cross.by_new else (old.id, signer)
                registry.reserve(by_id, reserved, now)
                pieces.append(Piece(by_id, reserved, cross.prepared, by))
        made = recording.finish(directory, registry, pieces, now, retire=old.id)
        return RolledOver(made[0], old.certificate, made[1:], note)


_BELOW_A_ROOT = "no cross certificates are needed: whoever trusts the root believes what either issues"


def _over(registry: Registry, old: AuthorityRecord) -> AuthorityRecord:
    """Who signs for the authority in this place: itself, or the root over it."""
    if old.issuer_id == old.id:
        return old
    over = next(it for it in registry.authorities() if it.id == old.issuer_id)
    if over.foreign:
        raise PkiError(
            f"`{old.name}` was certified by `{over.name}`, which is not ours",
            'request a certificate for another authority: keynote-pki init NEWDIR --name "…" --request FILE',
        )
    return over


def _check_other_name(registry: Registry, prepared: Prepared) -> None:
    for there in registry.authorities():
        if chain_certificates.load(there.certificate.der).folded_subject == prepared.certificate.folded_subject:
            raise NameInvalid(
                f"there is an authority `{there.certificate.subject}` already",
                "peers tell authorities apart by their names: give the new one another",
            )


def _crosses(
    old: ReadCertificate, new: Prepared, profile: Profile, now: datetime.datetime
) -> tuple[tuple[_Cross, ...], str]:
    """What they sign for each other, and why not, where they do not."""
    old_name, new_name = common_name(old.certificate.subject), common_name(new.certificate.certificate.subject)
    if now > old.not_after:
        return (), f"`{old_name}` has expired: no cross certificates"
    end = min(old.not_after, new.certificate.not_after)
    until = end - now.replace(microsecond=0)

    def cross(subject: ReadCertificate, issuer: x509.Certificate, name: str, by_new: bool) -> _Cross:
        prepared = authority.prepare_authority(
            subject.certificate.subject,
            subject.public_key,
            recording.new_serial(),
            now,
            until,
            profile=profile,
            issuer=issuer,
            constraints=chain_rules.extension(old, x509.NameConstraints),
        )
        return _Cross(prepared, name, by_new)

    found, missing = [], []
    if _has_room(old):
        found.append(cross(new.certificate, old.certificate, f"{new_name}, vouched for by {old_name}", by_new=False))
    else:
        missing.append((old_name, new_name))
    if _has_room(new.certificate):
        issuer = new.certificate.certificate
        found.append(cross(old, issuer, f"{old_name}, vouched for by {new_name}", by_new=True))
    else:
        missing.append((new_name, old_name))
    note = "; ".join(
        f"the path length of `{by}` leaves no room for an authority below it: peers that trust only `{by}` do not "
        f"believe what `{of}` issues"
        for by, of in missing
    )
    return tuple(found), note


def _has_room(certificate: ReadCertificate) -> bool:
    constraints = chain_rules.extension(certificate, x509.BasicConstraints)
    return constraints is not None and (constraints.path_length is None or constraints.path_length > 0)
