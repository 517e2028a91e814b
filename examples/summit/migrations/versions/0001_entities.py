"""entities and what connects them"""
from alembic import op

revision = "0001_entities"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE entities (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          name text NOT NULL UNIQUE,
          kind text NOT NULL,
          created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE relations (
          source bigint NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
          target bigint NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
          kind text NOT NULL,
          PRIMARY KEY (source, target, kind)
        );
        INSERT INTO entities (name, kind) VALUES
          ('Northwind Shipping', 'company'), ('Ada Moreau', 'person'), ('Port of Leith', 'place'), ('MV Petrel', 'ship');
        INSERT INTO relations (source, target, kind) VALUES (2, 1, 'directs'), (1, 4, 'owns'), (4, 3, 'berths at');
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE relations; DROP TABLE entities")
