"""a note for each document"""
import sqlalchemy as sa
from alembic import op

revision = "b2d0c5000002"
down_revision = "a1d0c5000001"


def upgrade():
    op.add_column("documents", sa.Column("note", sa.Text))


def downgrade():
    op.drop_column("documents", "note")
