# SPDX-License-Identifier: ISC
"""Subjects that RFC 5280 7.1 calls the same are found by an index."""

import sqlalchemy as sa
from alembic import op

from pki.distinguished_names import folded_sha256
from pki.errors import DerInvalid, RegistryError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("certificate") as batch:
        batch.add_column(sa.Column("folded_sha256", sa.String(64), nullable=False, server_default=""))
    _fill()
    with op.batch_alter_table("certificate") as batch:
        batch.alter_column("folded_sha256", existing_type=sa.String(64), server_default=None)
        batch.create_index("ix_certificate_folded_sha256", ["folded_sha256"])


def _fill() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT authority_id, serial, subject_der FROM certificate")).all()
    values = []
    for authority_id, serial, subject in rows:
        try:
            folded = folded_sha256(bytes(subject))
        except (DerInvalid, TypeError) as error:
            raise RegistryError(
                f"the subject of the certificate with serial number {serial} cannot be read: {error}"
            ) from error
        values.append({"folded": folded, "authority": authority_id, "serial": serial})
    if values:
        connection.execute(
            sa.text(
                "UPDATE certificate SET folded_sha256 = :folded WHERE authority_id = :authority AND serial = :serial"
            ),
            values,
        )
