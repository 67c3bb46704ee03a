# SPDX-License-Identifier: ISC
"""Authorities, their certificates, and what these certify."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "authority",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject_der", sa.LargeBinary(), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_authority"),
        sa.UniqueConstraint("name", name="uq_authority_name"),
    )
    op.create_table(
        "certificate",
        sa.Column("authority_id", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_der", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.DateTime(), nullable=False),
        sa.Column("not_after", sa.DateTime(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        sa.Column("key_file", sa.String(), nullable=True),
        sa.Column("temporary_file", sa.String(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.Column("revocation_reason", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("authority_id", "serial", name="pk_certificate"),
        sa.ForeignKeyConstraint(["authority_id"], ["authority.id"], name="fk_certificate_authority_id"),
        sa.UniqueConstraint("sha256", name="uq_certificate_sha256"),
        sa.CheckConstraint("state IN ('pending', 'issued')", name=op.f("ck_certificate_state")),
        sa.CheckConstraint(
            "state = 'pending' OR (sha256 IS NOT NULL AND der IS NOT NULL)", name=op.f("ck_certificate_issued_whole")
        ),
        sa.CheckConstraint("length(serial) = 40", name=op.f("ck_certificate_serial_width")),
    )
    op.create_index("ix_certificate_name", "certificate", ["name"])
    op.create_index("ix_certificate_subject", "certificate", ["subject"])
    op.create_index("ix_certificate_not_after", "certificate", ["not_after"])
    op.create_table(
        "subject_alt_name",
        sa.Column("authority_id", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("authority_id", "serial", "position", name="pk_subject_alt_name"),
        sa.ForeignKeyConstraint(
            ["authority_id", "serial"],
            ["certificate.authority_id", "certificate.serial"],
            name="fk_subject_alt_name_authority_id_serial",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_subject_alt_name_value", "subject_alt_name", ["value"])
