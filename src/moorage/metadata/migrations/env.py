"""Run by Alembic: hands it the connection that `moorage.metadata.migrate` has opened."""

from alembic import context

from moorage.metadata import tables
from moorage.metadata.tables.schema import complete, metadata

assert tables.images is not None  # imported for its effect: it fills `metadata`
complete()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
