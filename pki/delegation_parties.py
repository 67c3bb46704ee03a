# SPDX-License-Identifier: ISC
"""Who delegates, and to whom: what somebody writes → a KeyNote principal in its canonical form.

POLICY             the root of all authority, to delegate from only
DN:/C=DE/CN=gw     a distinguished name
gw.example.org     an identity, a name, a serial number or a fingerprint in the registry: the DN of that certificate
key:NAME           the key in that certificate
rsa-base64:…       a key, as KeyNote writes it
@FILE              the key in a certificate or a public key (PEM), or in a file as keynote(1) writes it
"""

import datetime
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from keynote import literals
from keynote.principals import POLICY, UndecodableKey, canonical, is_key, key_principal
from keynote.redaction import is_secret
from pki import names
from pki.errors import DelegationInvalid, PkiError, shown
from pki.names import Identity
from pki.records import Record
from pki.registry import Registry
from pki.registry_delegations import key_sha256

_FILE_MAX = 65536  # bytes of a file with one key


@dataclass(frozen=True, slots=True)
class Party:
    """A principal, the certificates of the registry that bear its name or its key, the newest first, and the
    identities of its certificate."""

    principal: str
    records: tuple[Record, ...] = ()
    identities: tuple[Identity, ...] = ()
    warning: str = ""  # what is doubtful about it
    hint: str = ""

    @classmethod
    def of(cls, principal: str, records: tuple[Record, ...]) -> "Party":
        return cls(principal, records, records[0].identities if records else ())


def authorizer(registry: Registry, text: str, now: datetime.datetime) -> Party:
    """Raises DelegationInvalid, also for a name that no certificate of this registry bears: nobody here could say
    that it delegates."""
    if text == POLICY:
        return Party(POLICY)
    if text.strip().upper() == POLICY:
        raise DelegationInvalid(f"`{shown(text)}` is nobody", f"write `{POLICY}`, in capitals")
    party = _party(registry, text, now)
    _check_key_stands(registry, party)
    if not is_key(party.principal) and not party.records:
        raise DelegationInvalid(
            f"`{party.principal}` is the name of no certificate in this registry, which cannot speak for it",
            party.hint or "write such a delegation into the policy file",
        )
    return party


def licensee(registry: Registry, text: str, now: datetime.datetime) -> Party:
    """Raises DelegationInvalid. A DN that is not in the registry may be that of another authority: a warning."""
    if text.strip().upper() == POLICY:
        raise DelegationInvalid("nobody delegates to POLICY: all authority comes from there")
    return _party(registry, text, now)


def principal(registry: Registry, text: str, now: datetime.datetime) -> str:
    """To look delegations up by. Raises DelegationInvalid."""
    return POLICY if text == POLICY else _party(registry, text, now, revoked=True).principal


def _party(registry: Registry, text: str, now: datetime.datetime, *, revoked: bool = False) -> Party:
    if is_secret(text):
        raise DelegationInvalid("a pre-shared key is no party to a delegation of the registry, which others may read")
    if text.startswith("@"):
        return _with_key(registry, _key_in(Path(text[1:])))
    if text.startswith("key:"):
        record = _chosen(registry, text.removeprefix("key:"), now, revoked)[0]
        try:
            return _with_key(registry, key_principal(record.certificate.public_key()))
        except UndecodableKey as error:
            raise DelegationInvalid(f"the key of `{record.name}` is no KeyNote principal: {error}") from error
    if is_key(text):
        try:
            return _with_key(registry, canonical(text))
        except UndecodableKey as error:
            raise DelegationInvalid(str(error)) from error
    if text.startswith(("DN:", "/")):
        return _named(registry, text, now, revoked)
    records = _chosen(registry, text, now, revoked)
    return Party.of(f"DN:{records[0].subject}", records)


def _with_key(registry: Registry, key: str) -> Party:
    sha256 = key_sha256(key)
    records = () if sha256 is None else registry.with_key(sha256)
    return Party.of(key, tuple(record for record in records if record.revoked_at is None))


def _check_key_stands(registry: Registry, party: Party) -> None:
    """Raises DelegationInvalid for a key of the registry that was taken back with all its certificates."""
    sha256 = key_sha256(party.principal) if is_key(party.principal) else None
    certified = () if sha256 is None else registry.with_key(sha256)
    if certified and all(record.revoked_at is not None or record.fallen for record in certified):
        raise DelegationInvalid(
            f"the key of `{certified[0].name}` delegates nothing: every certificate of it is revoked, "
            "or its authority is",
            "delegate from another key; where it is an authority's, make a new one: keynote-pki rollover",
        )


def _named(registry: Registry, text: str, now: datetime.datetime, revoked: bool) -> Party:
    try:
        subject = names.dn_keynote(names.dn_from_keynote(text))
    except PkiError as error:
        raise DelegationInvalid(str(error), error.hint) from error
    records = registry.find(f"DN:{subject}")
    if records:
        return Party.of(f"DN:{subject}", _not_revoked(records, text, now, revoked))
    near = _nearest(f"DN:{subject}", (f"DN:{record.subject}" for record in registry.certificates()))
    warning = f"`DN:{subject}` is the name of no certificate in this registry"
    return Party(f"DN:{subject}", warning=warning, hint=near)


def _chosen(registry: Registry, text: str, now: datetime.datetime, revoked: bool) -> tuple[Record, ...]:
    """The certificates of the one holder who is meant."""
    records = registry.find(text)
    if not records:
        known = registry.certificates()
        candidates = (name for it in known for name in (it.name, *(identity.value for identity in it.identities)))
        hint = _nearest(text, candidates) or "name a certificate of the registry, a DN (`DN:/…`) or a key"
        raise DelegationInvalid(f"`{shown(text)}` is nobody in this registry", hint)
    holders = sorted({record.subject for record in records})
    if len(holders) > 1:
        listed = ", ".join(f"DN:{subject}" for subject in holders)
        raise DelegationInvalid(f"`{shown(text)}` is {len(holders)} holders: {listed}", "give the DN of one")
    return _not_revoked(records, text, now, revoked)


def _not_revoked(records: Sequence[Record], text: str, now: datetime.datetime, revoked: bool) -> tuple[Record, ...]:
    """Those that hold, else those that did or will; the newest first."""
    left = [record for record in records if revoked or (record.revoked_at is None and not record.fallen)]
    if not left:
        what = "revoked, or its authority is" if any(record.fallen for record in records) else "revoked"
        raise DelegationInvalid(f"every certificate of `{shown(text)}` is {what}", "issue a new one first")
    left.sort(key=lambda record: (record.validity(now) == "valid", record.not_before), reverse=True)
    return tuple(left)


def _nearest(text: str, candidates: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, set(candidates), n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def _key_in(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_MAX + 1)
    except OSError as error:
        raise DelegationInvalid(f"`{path}` cannot be read: {error.strerror}") from error
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return key_principal(x509.load_pem_x509_certificate(content).public_key())
        if b"-----BEGIN " in content:
            return key_principal(load_pem_public_key(content))
        return _key_text(path, content.decode("latin-1"))
    except UndecodableKey as error:
        raise DelegationInvalid(f"`{path}`: {error}") from error
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise DelegationInvalid(
            f"`{path}` holds no public key", "a certificate or public key in PEM, or what keynote keygen writes"
        ) from error


def _key_text(path: Path, text: str) -> str:
    """A file as keynote(1) writes public keys: one literal, or the key alone."""
    text = text.strip()
    written = literals.decode(text) if len(text) > 1 and text[0] == text[-1] == '"' else text
    if is_secret(written) or not is_key(written):
        raise DelegationInvalid(f"`{path}` holds no public key", "a private key stays with its holder")
    return canonical(written)
