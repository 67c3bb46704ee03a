# SPDX-License-Identifier: ISC
"""The registry's tables. Only `registry` opens a session on them; everybody else sees its plain values."""

import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, ForeignKeyConstraint, LargeBinary, MetaData, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from pki.names import IdentityKind

PENDING = "pending"
ISSUED = "issued"


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """Aware times outside, UTC without a zone inside: SQLite keeps none, and so all databases hold the same."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.replace(tzinfo=datetime.UTC)


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
    """A name and a key that issue certificates; its own certificate is the one with this serial."""

    __tablename__ = "authority"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    subject_der: Mapped[bytes] = mapped_column(LargeBinary)
    serial: Mapped[str] = mapped_column(String(40))


class Certificate(Base):
    """One certificate, from the moment its serial number is taken."""

    __tablename__ = "certificate"
    __table_args__ = (
        CheckConstraint(f"state IN ('{PENDING}', '{ISSUED}')", name="state"),
        CheckConstraint(f"state = '{PENDING}' OR (sha256 IS NOT NULL AND der IS NOT NULL)", name="issued_whole"),
        CheckConstraint("length(serial) = 40", name="serial_width"),
    )

    authority_id: Mapped[int] = mapped_column(ForeignKey("authority.id"), primary_key=True)
    serial: Mapped[str] = mapped_column(String(40), primary_key=True)  # hex: 159 bits overflow an INTEGER
    state: Mapped[str] = mapped_column(String(8))
    profile: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(index=True)  # its first identity, an authority's common name
    subject: Mapped[str] = mapped_column(index=True)  # as KeyNote names it
    subject_der: Mapped[bytes] = mapped_column(LargeBinary)
    not_before: Mapped[datetime.datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime.datetime] = mapped_column(UtcDateTime, index=True)
    sha256: Mapped[str | None] = mapped_column(String(64), unique=True)  # hex, of the whole DER
    der: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_file: Mapped[str | None]  # in the directory of keys; none: the key was never ours
    temporary_file: Mapped[str | None]  # there until the key file has its name
    revoked_at: Mapped[datetime.datetime | None] = mapped_column(UtcDateTime)
    revocation_reason: Mapped[str | None] = mapped_column(String(32))

    names: Mapped[list["SubjectAltName"]] = relationship(
        order_by="SubjectAltName.position", cascade="all, delete-orphan", lazy="selectin"
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
