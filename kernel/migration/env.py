"""Run by Alembic for each command; the connection and its options come from `kernel.migration`."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], **context.config.attributes["options"]
)
with context.begin_transaction():
    context.run_migrations()
