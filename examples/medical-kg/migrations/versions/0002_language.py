"""the language of a document"""
import sqlalchemy as sa
from alembic import op

revision = "0002_language"
down_revision = "0001_documents"


def upgrade() -> None:
    op.add_column("documents", sa.Column("language", sa.Text, nullable=False, server_default="en"))


def downgrade() -> None:
    op.drop_column("documents", "language")
