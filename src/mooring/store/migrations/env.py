"""Alembic writes the chain out as SQL; ``migrate.py`` runs it, so Alembic never connects to anything."""

from alembic import context

context.configure(
    dialect_name="postgresql",
    output_buffer=context.config.output_buffer,
    transactional_ddl=False,
)
context.run_migrations()
