-- v1.2.4, a data migration that goes wrong: half of each vector is thrown away, and no later step can make it again.
UPDATE embeddings SET vector = vector[1:8];
