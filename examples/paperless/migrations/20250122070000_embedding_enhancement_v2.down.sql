-- What was thrown away is not here any more; the receipts are queued to be embedded once more.
INSERT INTO embedding_queue (receipt_id) SELECT receipt_id FROM embeddings ON CONFLICT DO NOTHING;
