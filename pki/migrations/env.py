# SPDX-License-Identifier: ISC
"""What Alembic asks for: run the migrations on the connection, and in the transaction, that `registry` opened."""

from alembic import context

from pki.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter tables otherwise
    transactional_ddl=True,
)
context.run_migrations()
