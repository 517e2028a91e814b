CREATE TABLE embeddings (
  receipt_id bigint PRIMARY KEY REFERENCES receipts (id) ON DELETE CASCADE,
  vector real[] NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE embedding_queue (
  receipt_id bigint PRIMARY KEY REFERENCES receipts (id) ON DELETE CASCADE,
  queued_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO embedding_queue (receipt_id) SELECT id FROM receipts;
