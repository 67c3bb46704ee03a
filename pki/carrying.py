# SPDX-License-Identifier: ISC
"""Delegations that were issued with a certificate, when another one follows it: those to the holder's name go on with
the new one, since it has the same name, and those to a key that it has not do not."""

import datetime
from dataclasses import dataclass, replace

from keynote.principals import UndecodableKey, is_key, key_principal
from pki import delegating, delegation_parties, delegations
from pki.chain_certificates import ReadCertificate
from pki.delegation_records import DelegationRecord, Draft
from pki.delegations import Wanted
from pki.directory import Directory
from pki.errors import PkiError
from pki.keystore import Passphrase
from pki.records import Record
from pki.registry import Registry


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A delegation that does not go on, and why."""

    record: DelegationRecord
    why: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What is recorded with the new certificate, and what is not."""

    drafts: tuple[Draft, ...] = ()
    left: tuple[LeftBehind, ...] = ()


def carried(
    directory: Directory,
    registry: Registry,
    old: Record,
    certificate: ReadCertificate,
    now: datetime.datetime,
    passphrase: Passphrase | None = None,
) -> Carried:
    """What becomes of the delegations to the holder of `old`, when `certificate` follows it. What ended with the old
    one ends with the new one, also where the old one has expired; what was to end before does so still.

    Raises RegistryUnreachable."""
    before, after = _key(old.read()), _key(certificate)
    drafts: list[Draft] = []
    left: list[LeftBehind] = []
    for record in registry.delegations.all():
        bound = record.certificate == old.sha256
        if record.revoked_at is not None or not (bound or record.licensee == before):
            continue
        until = _until(record, old, certificate) if bound else record.not_after
        if until is not None and until <= now:
            continue
        if is_key(record.licensee) and record.licensee != after:
            left.append(LeftBehind(record, "it is to the key of the certificate before"))
        elif bound:
            try:
                drafts.append(_again(directory, registry, record, until, now, passphrase))
            except PkiError as error:
                left.append(LeftBehind(record, str(error)))
    return Carried(tuple(drafts), tuple(left))


def _key(certificate: ReadCertificate) -> str | None:
    try:
        return key_principal(certificate.public_key)
    except UndecodableKey:  # of a kind that KeyNote has no principals of
        return None


def _until(record: DelegationRecord, old: Record, certificate: ReadCertificate) -> datetime.datetime:
    end = record.not_after
    return certificate.not_after if end is None or end >= old.not_after else min(end, certificate.not_after)


def _again(
    directory: Directory,
    registry: Registry,
    record: DelegationRecord,
    until: datetime.datetime | None,
    now: datetime.datetime,
    passphrase: Passphrase | None,
) -> Draft:
    """The same with another end. Raises PkiError where its authorizer does not count any more, or cannot sign."""
    by = delegation_parties.authorizer(registry, record.authorizer, now)
    wanted = Wanted(record.authorizer, record.licensee, record.conditions, (), until, record.comment)
    draft = replace(delegations.build(wanted), carries_on=record.number)
    if not is_key(record.authorizer):
        return draft
    key = delegating.own_key(directory, by, passphrase)
    if key is None:
        raise PkiError("the key that signed it is not kept here")
    return delegations.sign(draft, key)
