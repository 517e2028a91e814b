"""users, documents, and the chunks by which documents are found"""
from alembic import op

revision = "0001_documents"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE users (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          email text NOT NULL UNIQUE,
          name text NOT NULL,
          created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE documents (
          id uuid PRIMARY KEY,
          title text NOT NULL,
          backend text NOT NULL,
          pages integer NOT NULL CHECK (pages > 0),
          text text NOT NULL,
          created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE chunks (
          document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
          position integer NOT NULL,
          text text NOT NULL,
          PRIMARY KEY (document_id, position)
        );
        INSERT INTO users (email, name) VALUES
          ('ada@medical-kg.example', 'Ada Okafor'), ('jun@medical-kg.example', 'Jun Watanabe');
        INSERT INTO documents (id, title, backend, pages, text) VALUES
          ('7d1c4be2-93c5-4b39-8f0e-5f6a4c1d2e01', 'Metformin, a summary', 'mineru', 1,
           'Metformin lowers hepatic glucose production. Renal function is checked before the first dose.'),
          ('7d1c4be2-93c5-4b39-8f0e-5f6a4c1d2e02', 'Warfarin and what it meets', 'mineru', 2,
           'Warfarin is monitored by INR. Amiodarone raises it.');
        INSERT INTO chunks SELECT d.id, s.position, s.text FROM documents d,
          regexp_split_to_table(d.text, '(?<=[.]) ') WITH ORDINALITY AS s(text, position);
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE chunks; DROP TABLE documents; DROP TABLE users")
