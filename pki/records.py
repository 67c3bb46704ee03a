# SPDX-License-Identifier: ISC
"""What the registry takes and gives: plain values, without a database behind them."""

import datetime
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol, TypeAlias

from cryptography import x509

from pki import chain_certificates
from pki.chain_certificates import ReadCertificate
from pki.delegation_records import Draft
from pki.errors import EDITED, RegistryError, shown
from pki.names import Identity


class Status(StrEnum):
    """What the registry knows of a certificate by its fingerprint. Only `issued` is good for anything."""

    ISSUED = "issued"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


Validity = Literal["valid", "expired", "not yet valid", "revoked", "revoked authority"]


def serial_text(number: int) -> str:
    """A serial number as the registry has it: 40 hex digits."""
    return f"{number:040x}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A certificate about to be signed: its serial number is taken and its key file announced."""

    serial: str  # 40 hex digits
    profile: str
    name: str
    identities: tuple[Identity, ...]
    subject: str
    subject_der: bytes = field(repr=False)
    not_before: datetime.datetime
    not_after: datetime.datetime
    issued_at: datetime.datetime
    key_sha256: str  # hex, of the DER SubjectPublicKeyInfo
    directory: str  # the id of the CA directory
    key_file: str | None
    temporary_file: str | None
    supersedes: str | None = None  # the SHA-256 of the certificate that it follows


@dataclass(frozen=True, slots=True)
class Signed:
    """A reserved certificate that has its signature, and the delegations that are issued with it."""

    authority_id: int
    serial: str
    der: bytes = field(repr=False)
    delegations: tuple[Draft, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What an interrupted issue left: either its certificate is recorded and only the key file awaits its name, or
    nothing counts."""

    authority_id: int
    serial: str
    name: str
    issued: bool
    key_file: str | None
    temporary_file: str | None


Standing: TypeAlias = Literal["holding", "expired", "revoked", "all"] | datetime.datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the issued certificates a list has. A time for `standing`: what ends from `now` until then, is not
    revoked, and was not replaced by another that is not (one that answers OCSP is replaced by any later one of its
    authority); and what a peer has of an authority that has fallen, which holds no more. `holding` is neither revoked
    nor expired nor of such an authority."""

    now: datetime.datetime
    standing: Standing = "all"
    profile: str | None = None
    identity: str | None = None  # the value of one that is certified
    authority_id: int | None = None


class Listed(NamedTuple):
    """A certificate as a list shows it."""

    serial: str
    profile: str
    name: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    revoked_at: datetime.datetime | None
    fallen: bool

    def validity(self, now: datetime.datetime) -> Validity:
        """As `Record.validity`."""
        return validity(self, now)


class _Standing(Protocol):
    @property
    def not_before(self) -> datetime.datetime: ...
    @property
    def not_after(self) -> datetime.datetime: ...
    @property
    def revoked_at(self) -> datetime.datetime | None: ...
    @property
    def fallen(self) -> bool: ...


def validity(record: _Standing, now: datetime.datetime) -> Validity:
    """Whether it holds at a time, revocation before all else."""
    if record.revoked_at is not None:
        return "revoked"
    if now > record.not_after:
        return "expired"
    if record.fallen:
        return "revoked authority"
    return "not yet valid" if now < record.not_before else "valid"


@dataclass(frozen=True, slots=True)
class Record:
    """An issued certificate. All but the last two are columns of its row."""

    authority_id: int
    serial: str
    profile: str
    name: str
    subject: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    issued_at: datetime.datetime
    sha256: str
    key_sha256: str
    der: bytes = field(repr=False)
    supersedes: str | None
    directory: str
    key_file: str | None
    revoked_at: datetime.datetime | None
    revocation_reason: str | None
    identities: tuple[Identity, ...]
    fallen: bool = False  # its authority was revoked, or what that stands below (`registry_standing`)

    @property
    def certificate(self) -> x509.Certificate:
        """Raises RegistryError where the row holds none, as it was when it was recorded."""
        try:
            return x509.load_der_x509_certificate(self.der)
        except ValueError as error:
            raise RegistryError(
                f"what the registry has of certificate `{shown(self.name)}` (serial {shown(self.serial)}) is none: "
                f"{shown(str(error))}",
                EDITED,
            ) from error

    def read(self) -> ReadCertificate:
        """Raises ChainError."""
        return chain_certificates.load(self.der)

    def validity(self, now: datetime.datetime) -> Validity:
        """Whether it holds at a time, revocation before all else."""
        return validity(self, now)


@dataclass(frozen=True, slots=True)
class AuthorityRecord:
    """An authority with its own certificate."""

    id: int
    name: str
    certificate: Record
    issuer_id: int  # its own id where it signed itself
    foreign: bool  # not ours: here as the issuer of one that is
    retired_at: datetime.datetime | None  # issues no more; its CRLs go on


@dataclass(frozen=True, slots=True)
class Above:
    """What peers need to believe what an authority issues: what its holders send along, and what the others trust."""

    intermediates: tuple[Record, ...]  # of authorities between, and cross certificates
    anchors: tuple[Record, ...]  # of those that signed themselves; that of the authority, or the one over it, first
