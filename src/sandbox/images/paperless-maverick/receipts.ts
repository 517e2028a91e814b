import type { Database } from '../kit/database.ts';
import { embed, likeness } from './embedding.ts';
import type { Release } from './release.ts';

export interface Receipt {
  readonly id: string;
  readonly seller: string;
  readonly total: string;
}

/** Below it two texts have hardly a word in common. */
const ALIKE = 0.3;

export async function listReceipts(
  database: Database,
  { seller }: Release,
  limit: number,
): Promise<readonly Receipt[]> {
  return await database.query<Receipt & Record<string, unknown>>(
    `SELECT id, ${seller} AS seller, total FROM receipts ORDER BY id DESC LIMIT $1`,
    [limit],
  );
}

/** The receipt and its place in the queue of the workers, in one transaction. */
export async function addReceipt(
  database: Database,
  { seller }: Release,
  receipt: { readonly seller: string; readonly total: number },
): Promise<string> {
  return await database.transaction(async (db) => {
    const [row] = await db.query<{ id: string }>(
      `INSERT INTO receipts (user_id, ${seller}, total) VALUES (1, $1, $2) RETURNING id`,
      [receipt.seller, receipt.total],
    );
    await db.query('INSERT INTO embedding_queue (receipt_id) VALUES ($1)', [row?.id]);
    return row?.id ?? '';
  });
}

/** Receipts whose vector is like that of the words, best first. */
export async function search(database: Database, release: Release, words: string): Promise<readonly Receipt[]> {
  const wanted = embed(words, release.dimensions);
  const rows = await database.query<Receipt & { readonly vector: readonly number[] }>(
    `SELECT r.id, r.${release.seller} AS seller, r.total, e.vector FROM receipts r JOIN embeddings e ON e.receipt_id = r.id`,
  );
  return rows
    .map(({ vector, ...receipt }) => ({ receipt, score: likeness(vector, wanted) }))
    .filter(({ score }) => score >= ALIKE)
    .sort((a, b) => b.score - a.score)
    .map(({ receipt }) => receipt);
}

export async function schemaOf(database: Database): Promise<string | null> {
  const [row] = await database.query<{ version: string | null }>(
    'SELECT max(version) AS version FROM schema_migrations',
  );
  return row?.version ?? null;
}

export interface DataFigures {
  readonly receipts: number;
  readonly embeddings: number;
  /** Vectors that this release cannot compare with its own. */
  readonly unreadable: number;
  readonly queued: number;
}

export async function dataOf(database: Database, { dimensions }: Release): Promise<DataFigures> {
  const [row] = await database.query<{ [name in keyof DataFigures]: number }>(
    `SELECT (SELECT count(*)::int FROM receipts) AS receipts, (SELECT count(*)::int FROM embeddings) AS embeddings,
            (SELECT count(*)::int FROM embeddings WHERE cardinality(vector) <> $1) AS unreadable,
            (SELECT count(*)::int FROM embedding_queue) AS queued`,
    [dimensions],
  );
  return row ?? { receipts: 0, embeddings: 0, unreadable: 0, queued: 0 };
}
