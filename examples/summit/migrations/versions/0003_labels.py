"""names of entities become labels"""
from alembic import op

revision = "0003_labels"
down_revision = "0002_confidence"


def upgrade() -> None:
    # Releases before it ask for `name` and get an error.
    op.alter_column("entities", "name", new_column_name="label")


def downgrade() -> None:
    op.alter_column("entities", "label", new_column_name="name")
