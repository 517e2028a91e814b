DROP TABLE embedding_queue;
DROP TABLE embeddings;
