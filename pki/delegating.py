# SPDX-License-Identifier: ISC
"""From what somebody asks for to a delegation that can be recorded: parties found, text built, linted, signed."""

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from keynote import literals, private_keys
from keynote.complaints import Complaint
from keynote.lint import Severity
from keynote.principals import is_key, shown_principal
from pki import condition_templates, delegation_parties, delegations, keys, keystore, unbound
from pki.chain_certificates import ReadCertificate
from pki.delegation_parties import Party
from pki.delegation_records import DelegationRecord, Draft
from pki.delegations import Wanted
from pki.directory import Directory
from pki.errors import ConditionsInvalid, DelegationInvalid, KeystoreError
from pki.keys import PrivateKey
from pki.keystore import Passphrase
from pki.registry import Registry


@dataclass(frozen=True, slots=True)
class Request:
    """As it is typed: `authorizer` and `licensee` as `delegation_parties` reads them, `conditions` in Latin-1."""

    authorizer: str
    licensee: str
    conditions: str = ""
    templates: tuple[str, ...] = ()
    until: datetime.datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delegation that can be recorded, if it is `believed`, and what is doubtful about it."""

    draft: Draft
    warnings: tuple[Complaint, ...]
    believed: bool  # False: its authorizer's key is not here, and nobody has signed it


def prepare(
    directory: Directory,
    registry: Registry,
    request: Request,
    now: datetime.datetime,
    *,
    key: PrivateKey | None = None,
    passphrase: Passphrase | None = None,
    strict: bool = False,
    any_name: bool = False,
) -> Prepared:
    """Raises PkiError; of it ConditionsInvalid for what the linter calls an error, or a warning where `strict`, and
    DelegationInvalid for what lets the peers of an authority in under `any_name`, unless that is meant.

    `key` is the authorizer's private key where it is not in the directory."""
    by = delegation_parties.authorizer(registry, request.authorizer, now)
    to = delegation_parties.licensee(registry, request.licensee, now)
    prepared = _prepared(directory, request, (by, to), now, key, passphrase, strict)
    if not any_name and (whose := unbound.authority_let_in(registry, prepared.draft, to, now)) is not None:
        raise DelegationInvalid(
            f"remote_id is not bound: whomever `{shown_principal(whose)}` vouches for is let in under any name, and "
            "daemons that read this registry would not start (strict rule 3)",
            "say who is meant: --template identity=gw.example.org, hosts=example.org or mails=example.org; "
            "or --any-name if `Strict-Remote-ID= no` is everywhere",
        )
    return prepared


def prepare_with_certificate(
    directory: Directory,
    registry: Registry,
    request: Request,
    certificate: ReadCertificate,
    now: datetime.datetime,
    *,
    passphrase: Passphrase | None = None,
    strict: bool = False,
) -> Prepared:
    """A delegation to the holder of a certificate that is about to be issued, whoever `request` names: it is recorded
    with it (`Registry.confirm`), and ends with it at the latest. Raises as `prepare` does, and DelegationInvalid for
    what nobody would believe."""
    by = delegation_parties.authorizer(registry, request.authorizer, now)
    to = Party(certificate.principal, identities=certificate.names)
    until = min(request.until or certificate.not_after, certificate.not_after)
    prepared = _prepared(directory, replace(request, until=until), (by, to), now, None, passphrase, strict)
    check_believed(prepared)
    return prepared


def _prepared(
    directory: Directory,
    request: Request,
    parties: tuple[Party, Party],
    now: datetime.datetime,
    key: PrivateKey | None,
    passphrase: Passphrase | None,
    strict: bool,
) -> Prepared:
    by, to = parties
    if request.until is not None and request.until <= now:
        raise DelegationInvalid(f"{request.until:%Y-%m-%d %H:%M:%SZ} is over", "give an end that is still to come")
    if by.principal == to.principal:
        raise DelegationInvalid("nobody has to delegate to himself", "--from and --to are one principal")
    tests = condition_templates.made_of(request.templates, to.identities)
    draft = delegations.build(
        Wanted(by.principal, to.principal, request.conditions, tests, request.until, request.comment)
    )
    warnings = _looked_at(draft, parties, now, strict)
    if not is_key(by.principal):
        if key is not None:
            raise DelegationInvalid(
                f"a delegation of `{by.principal}` cannot be signed: only keys sign (RFC 2704 4.6.7)",
                "delegate from the key: --from key:NAME",
            )
        return Prepared(draft, warnings, believed=True)
    key = key or own_key(directory, by, passphrase)
    if key is None:
        return Prepared(draft, warnings, believed=False)
    return Prepared(delegations.sign(draft, key), warnings, believed=True)


def record(registry: Registry, prepared: Prepared, now: datetime.datetime) -> DelegationRecord:
    """Raises RegistryError, and DelegationInvalid for what nobody would believe."""
    check_believed(prepared)
    return registry.delegations.add(prepared.draft, now)


def check_believed(prepared: Prepared) -> None:
    """Raises DelegationInvalid."""
    if not prepared.believed:
        whose = shown_principal(prepared.draft.authorizer)
        raise DelegationInvalid(
            f"the private key of `{whose}` is not kept here, and nobody believes what it does not sign",
            "sign with --key FILE, or give the key's holder what --dry-run prints",
        )


def private_key(path: Path, passphrase: Passphrase | None = None) -> PrivateKey:
    """From PEM, or a file as `keynote keygen` writes it. Raises KeystoreError."""
    content = keystore.read(path)
    if b"-----BEGIN " in content:
        return keystore.load(path, passphrase)
    text = content.decode("latin-1").strip()
    try:
        key = private_keys.load_private_key(literals.decode(text) if text.startswith('"') else text)
    except private_keys.UnusablePrivateKey as error:
        raise KeystoreError(f"`{path}`: {error}") from None
    if not isinstance(key, keys.PRIVATE_KEYS):
        raise KeystoreError(f"`{path}` holds a kind of key that is not used here")
    return key


def _looked_at(
    draft: Draft, parties: tuple[Party, ...], now: datetime.datetime, strict: bool
) -> tuple[Complaint, ...]:
    found = [finding for finding in delegations.findings(draft, now) if finding.severity >= Severity.WARNING]
    errors = [finding for finding in found if strict or finding.severity >= Severity.ERROR]
    if errors:
        raise ConditionsInvalid([delegations.complaint(finding) for finding in errors])
    doubts = [Complaint(party.warning, hint=party.hint) for party in parties if party.warning]
    if strict and doubts:
        raise ConditionsInvalid(doubts)
    return (*doubts, *map(delegations.complaint, found))


def own_key(directory: Directory, party: Party, passphrase: Passphrase | None) -> PrivateKey | None:
    """The private key of a party, if it is in the directory. Raises KeystoreError."""
    here = directory.settings().id
    for holder in party.records:
        if holder.key_file is not None and holder.directory == here:
            return directory.signer(holder, passphrase).key
    return None
