# SPDX-License-Identifier: ISC
"""Distinguished names among the subjectAltNames are found as subjects are."""

import sqlalchemy as sa
from alembic import op

from pki.distinguished_names import folded_sha256, from_keynote
from pki.errors import NameInvalid, RegistryError, shown

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("subject_alt_name") as batch:
        batch.add_column(sa.Column("folded_sha256", sa.String(64), nullable=True))
    _fill()
    op.create_index("ix_subject_alt_name_folded_sha256", "subject_alt_name", ["folded_sha256"])


def _fill() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT DISTINCT value FROM subject_alt_name WHERE kind = 'DER_ASN1_DN'")).all()
    values = []
    for (value,) in rows:
        try:
            values.append({"folded": folded_sha256(from_keynote(value)), "value": value})
        except NameInvalid as error:
            raise RegistryError(f"the subjectAltName `{shown(value)}` cannot be read: {error}") from error
    if values:
        connection.execute(
            sa.text(
                "UPDATE subject_alt_name SET folded_sha256 = :folded WHERE kind = 'DER_ASN1_DN' AND value = :value"
            ),
            values,
        )
