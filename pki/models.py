# SPDX-License-Identifier: ISC
"""The registry's tables. Only `registry` opens a session on them; everybody else sees its plain values."""

import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pki.names import IdentityKind
from pki.registry_values import Bytes, UtcDateTime

PENDING = "pending"
ISSUED = "issued"
_IS_PENDING = text(f"state = '{PENDING}'")
_IS_REVOKED = text("revoked_at IS NOT NULL")
_IS_UNNAMED = text("temporary_file IS NOT NULL")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Authority(Base):
    """A name and a key that issue certificates. Its own certificate was issued by `issuer_id`, which is its own id
    where it signed itself, and has `serial` there."""

    __tablename__ = "authority"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)  # the common name; where another has it, the whole subject
    subject_der: Mapped[bytes] = mapped_column(Bytes)
    issuer_id: Mapped[int] = mapped_column(ForeignKey("authority.id"))
    serial: Mapped[str] = mapped_column(String(40))
    key_sha256: Mapped[str] = mapped_column(String(64), index=True)  # hex, of the DER SubjectPublicKeyInfo
    foreign: Mapped[bool] = mapped_column(default=False)  # not ours: its certificate is here as the issuer of one
    retired_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)  # issues no more, answers still
    crl_number: Mapped[int] = mapped_column(default=0)  # the last that was taken


class Certificate(Base):
    """One certificate, from the moment its serial number is taken."""

    __tablename__ = "certificate"
    __table_args__ = (
        CheckConstraint(f"state IN ('{PENDING}', '{ISSUED}')", name="state"),
        CheckConstraint(f"state = '{PENDING}' OR (sha256 IS NOT NULL AND der IS NOT NULL)", name="issued_whole"),
        CheckConstraint("length(serial) = 40", name="serial_width"),
        CheckConstraint("(revoked_at IS NULL) = (revocation_reason IS NULL)", name="revoked_whole"),
        Index("ix_certificate_authority_id_revoked_at", "authority_id", "revoked_at"),
        # Few rows, which each command looks for, among all those of a directory.
        Index("ix_certificate_revoked_at", "revoked_at", sqlite_where=_IS_REVOKED, postgresql_where=_IS_REVOKED),
        Index("ix_certificate_pending", "directory", sqlite_where=_IS_PENDING, postgresql_where=_IS_PENDING),
        Index("ix_certificate_unnamed", "directory", sqlite_where=_IS_UNNAMED, postgresql_where=_IS_UNNAMED),
    )

    authority_id: Mapped[int] = mapped_column(ForeignKey("authority.id"), primary_key=True)
    serial: Mapped[str] = mapped_column(String(40), primary_key=True, index=True)  # hex: 159 bits overflow an INTEGER
    state: Mapped[str] = mapped_column(String(8))
    profile: Mapped[str] = mapped_column(String(32), index=True)
    name: Mapped[str] = mapped_column(index=True)  # its first identity, an authority's common name
    subject: Mapped[str] = mapped_column(index=True)  # as KeyNote names it
    subject_der: Mapped[bytes] = mapped_column(Bytes)
    folded_sha256: Mapped[str] = mapped_column(String(64), index=True)  # the same for subjects that are alike
    not_before: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime.datetime] = mapped_column(UtcDateTime, index=True)
    issued_at: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    sha256: Mapped[str | None] = mapped_column(String(64), unique=True)  # hex, of the whole DER
    key_sha256: Mapped[str] = mapped_column(String(64), index=True)  # hex, of the DER SubjectPublicKeyInfo
    der: Mapped[bytes | None] = mapped_column(Bytes)
    supersedes: Mapped[str | None] = mapped_column(ForeignKey("certificate.sha256"), index=True)
    directory: Mapped[str] = mapped_column(String(32))  # the id of the CA directory that issued it
    key_file: Mapped[str | None]  # in that directory's keys; none: the key was never ours
    temporary_file: Mapped[str | None]  # there until the key file has its name
    revoked_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    revocation_reason: Mapped[str | None] = mapped_column(String(32))

    names: Mapped[list["SubjectAltName"]] = relationship(
        order_by="SubjectAltName.position", cascade="all, delete-orphan"
    )


class SubjectAltName(Base):
    """What a certificate certifies; position 0 is the identity that its holder goes by."""

    __tablename__ = "subject_alt_name"
    __table_args__ = (
        ForeignKeyConstraint(
            ["authority_id", "serial"], ["certificate.authority_id", "certificate.serial"], ondelete="CASCADE"
        ),
    )

    authority_id: Mapped[int] = mapped_column(primary_key=True)
    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[IdentityKind] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(index=True)
    folded_sha256: Mapped[str | None] = mapped_column(String(64), index=True)  # of a distinguished name, as subjects'


class RevocationList(Base):
    """A CRL that an authority signed, with the head of the audit log at that moment, signed by the same key."""

    __tablename__ = "crl"

    authority_id: Mapped[int] = mapped_column(ForeignKey("authority.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    this_update: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    next_update: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    der: Mapped[bytes] = mapped_column(Bytes)
    audit_sequence: Mapped[int]
    audit_hash: Mapped[str] = mapped_column(String(64))
    audit_signature: Mapped[bytes] = mapped_column(Bytes)


class AuditEntry(Base):
    """What was done, in an order that cannot be changed afterwards: each row's hash is over its own columns and the
    hash before it."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str]  # of the action: a certificate's SHA-256, a delegation's number
    details: Mapped[str] = mapped_column(Text)  # JSON
    hash: Mapped[str] = mapped_column(String(64))


class Delegation(Base):
    """Authority that one principal hands to another: a KeyNote assertion, and what it is about."""

    __tablename__ = "delegation"
    __table_args__ = (CheckConstraint("(revoked_at IS NULL) = (revocation_reason IS NULL)", name="revoked_whole"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    authorizer: Mapped[str]  # a KeyNote principal, or POLICY
    licensee: Mapped[str] = mapped_column(index=True)  # a KeyNote principal
    conditions: Mapped[str] = mapped_column(Text)
    comment: Mapped[str] = mapped_column(Text)
    assertion: Mapped[str] = mapped_column(Text)  # whole, with its signature where it has one
    created_at: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime, index=True)
    certificate: Mapped[str | None] = mapped_column(ForeignKey("certificate.sha256"), index=True)  # issued with it
    revoked_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    revocation_reason: Mapped[str | None] = mapped_column(String(32))
