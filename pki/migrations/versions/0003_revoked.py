# SPDX-License-Identifier: ISC
"""What is revoked is found by an index of its own: few among many."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("revoked_at IS NOT NULL")
    op.create_index(
        "ix_certificate_revoked_at", "certificate", ["revoked_at"], sqlite_where=where, postgresql_where=where
    )
