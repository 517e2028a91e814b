import os

from alembic import context
from sqlalchemy import create_engine, pool, text

# One at a time, whoever starts first: three pods come up at once.
LOCK = 640_118_275


def address() -> str:
    return os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)


if context.is_offline_mode():
    context.configure(url=address(), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(address(), poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.run_migrations()
