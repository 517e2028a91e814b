"""how sure somebody is of an entity"""
import sqlalchemy as sa
from alembic import op

revision = "0002_confidence"
down_revision = "0001_entities"


def upgrade() -> None:
    # An addition: releases before it neither know nor mind.
    op.add_column("entities", sa.Column("confidence", sa.Numeric(3, 2)))


def downgrade() -> None:
    op.drop_column("entities", "confidence")
