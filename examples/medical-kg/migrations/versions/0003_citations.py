"""which document cites which"""
from alembic import op

revision = "0003_citations"
down_revision = "0002_language"


def upgrade() -> None:
    # Nothing is filled in: what leads down from here loses no row until somebody writes one.
    op.execute(
        """
        CREATE TABLE citations (
          source uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
          cited uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
          PRIMARY KEY (source, cited)
        )
        """
    )


def downgrade() -> None:
    op.drop_table("citations")
