"""documents"""
import sqlalchemy as sa
from alembic import op

revision = "a1d0c5000001"
down_revision = None


def upgrade():
    op.create_table(
        "documents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(80), nullable=False),
    )


def downgrade():
    op.drop_table("documents")
