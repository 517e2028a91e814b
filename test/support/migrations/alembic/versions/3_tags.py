"""tags"""
import sqlalchemy as sa
from alembic import op

revision = "c3d0c5000003"
down_revision = "b2d0c5000002"


def upgrade():
    op.create_table("tags", sa.Column("name", sa.String(40), primary_key=True))


def downgrade():
    op.drop_table("tags")
