# SPDX-License-Identifier: ISC
"""Authorities below others, keys by their hash, what supersedes what; CRLs, the audit log, delegations."""

import datetime

import sqlalchemy as sa
from alembic import op
from cryptography import x509

from pki import audit, registry_audit
from pki.errors import RegistryError
from pki.keys import key_sha256

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _alter_authority()
    _alter_certificate()
    op.create_table(
        "crl",
        sa.Column("authority_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("this_update", sa.DateTime(), nullable=False),
        sa.Column("next_update", sa.DateTime(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("audit_sequence", sa.Integer(), nullable=False),
        sa.Column("audit_hash", sa.String(64), nullable=False),
        sa.Column("audit_signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("authority_id", "number", name="pk_crl"),
        sa.ForeignKeyConstraint(["authority_id"], ["authority.id"], name="fk_crl_authority_id"),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    op.create_table(
        "delegation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer", sa.String(), nullable=False),
        sa.Column("licensee", sa.String(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("assertion", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("not_after", sa.DateTime(), nullable=True),
        sa.Column("certificate", sa.String(64), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.Column("revocation_reason", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_delegation"),
        sa.ForeignKeyConstraint(["certificate"], ["certificate.sha256"], name="fk_delegation_certificate"),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revocation_reason IS NULL)", name=op.f("ck_delegation_revoked_whole")
        ),
    )
    for column in ("licensee", "not_after", "certificate"):
        op.create_index(f"ix_delegation_{column}", "delegation", [column])
    _begin_log()


def _alter_authority() -> None:
    with op.batch_alter_table("authority") as batch:
        batch.add_column(sa.Column("issuer_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("key_sha256", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("foreign", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("retired_at", sa.DateTime(), nullable=True))
        batch.add_column(sa.Column("crl_number", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE authority SET issuer_id = id")  # until now each signed itself
    with op.batch_alter_table("authority") as batch:
        batch.alter_column("issuer_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("key_sha256", existing_type=sa.String(64), server_default=None)
        batch.alter_column("foreign", existing_type=sa.Boolean(), server_default=None)
        batch.alter_column("crl_number", existing_type=sa.Integer(), server_default=None)
        batch.create_foreign_key("fk_authority_issuer_id", "authority", ["issuer_id"], ["id"])
        batch.create_index("ix_authority_key_sha256", ["key_sha256"])


def _alter_certificate() -> None:
    with op.batch_alter_table("certificate") as batch:
        batch.add_column(sa.Column("issued_at", sa.DateTime(), nullable=True))
        batch.add_column(sa.Column("key_sha256", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("supersedes", sa.String(64), nullable=True))
        batch.add_column(sa.Column("directory", sa.String(32), nullable=False, server_default=""))
    op.execute("UPDATE certificate SET issued_at = not_before")
    op.execute(
        "UPDATE certificate SET revocation_reason = 'unspecified' "
        "WHERE revoked_at IS NOT NULL AND revocation_reason IS NULL"
    )
    op.execute("UPDATE certificate SET revocation_reason = NULL WHERE revoked_at IS NULL")
    _fill_keys()
    with op.batch_alter_table("certificate") as batch:
        batch.alter_column("issued_at", existing_type=sa.DateTime(), nullable=False)
        batch.alter_column("key_sha256", existing_type=sa.String(64), server_default=None)
        batch.alter_column("directory", existing_type=sa.String(32), server_default=None)
        batch.create_foreign_key("fk_certificate_supersedes", "certificate", ["supersedes"], ["sha256"])
        batch.create_check_constraint(
            op.f("ck_certificate_revoked_whole"), "(revoked_at IS NULL) = (revocation_reason IS NULL)"
        )
        for column in ("profile", "serial", "key_sha256", "supersedes"):
            batch.create_index(f"ix_certificate_{column}", [column])
        batch.create_index("ix_certificate_authority_id_revoked_at", ["authority_id", "revoked_at"])
    for name, condition in (("pending", "state = 'pending'"), ("unnamed", "temporary_file IS NOT NULL")):
        where = sa.text(condition)
        op.create_index(
            f"ix_certificate_{name}", "certificate", ["directory"], sqlite_where=where, postgresql_where=where
        )


def _fill_keys() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT authority_id, serial, der FROM certificate WHERE der IS NOT NULL"))
    for authority_id, serial, certificate in rows.all():
        try:
            key = x509.load_der_x509_certificate(bytes(certificate)).public_key()
        except (ValueError, TypeError) as error:
            raise RegistryError(f"the certificate with serial number {serial} cannot be read: {error}") from error
        values = {"key": key_sha256(key), "authority": authority_id, "serial": serial}
        connection.execute(
            sa.text("UPDATE certificate SET key_sha256 = :key WHERE authority_id = :authority AND serial = :serial"),
            values,
        )
        connection.execute(
            sa.text("UPDATE authority SET key_sha256 = :key WHERE id = :authority AND serial = :serial"), values
        )


def _begin_log() -> None:
    """The log begins with what is there: one entry for each certificate, with its revocation."""
    table = sa.table(
        "audit",
        sa.column("sequence", sa.Integer()),
        sa.column("at", sa.DateTime()),
        *(sa.column(name, sa.String()) for name in ("actor", "action", "subject", "details", "hash")),
    )
    found = sa.table(
        "certificate",
        *(sa.column(name) for name in ("authority_id", "serial", "sha256", "name", "profile", "key_sha256", "state")),
        sa.column("revoked_at", sa.DateTime()),
        sa.column("revocation_reason"),
    )
    rows = op.get_bind().execute(
        sa.select(found).where(found.c.state == "issued").order_by(found.c.authority_id, found.c.serial)
    )
    now, actor, previous = datetime.datetime.now(datetime.UTC), registry_audit.actor(), audit.FIRST_HASH
    entries = []
    for sequence, row in enumerate(rows.all(), 1):
        details: audit.Details = {
            "authority": row.authority_id,
            "serial": row.serial,
            "name": row.name,
            "profile": row.profile,
            "key_sha256": row.key_sha256,
            "supersedes": None,
            "revoked_at": None if row.revoked_at is None else row.revoked_at.replace(tzinfo=datetime.UTC).isoformat(),
            "reason": row.revocation_reason,
        }
        text = audit.details_text(details)
        previous = audit.entry_hash(previous, sequence, now, actor, "adopt", row.sha256, text)
        columns = {"actor": actor, "action": "adopt", "subject": row.sha256, "details": text, "hash": previous}
        entries.append({"sequence": sequence, "at": now.replace(tzinfo=None), **columns})
    op.bulk_insert(table, entries)
