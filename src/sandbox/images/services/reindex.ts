import type { Database } from '../kit/database.ts';

/** What is in the documents, as the check `documents-are-whole` asks it. */
export interface Wholeness {
  readonly documents: number;
  readonly chunks: number;
  /** Documents whose text is empty. */
  readonly withoutText: number;
  /** Documents of which search knows nothing. */
  readonly withoutChunks: number;
}

export async function wholenessOf(database: Database): Promise<Wholeness> {
  const [row] = await database.query<{ [name in keyof Wholeness]: number }>(
    `SELECT count(*)::int AS documents, coalesce(sum(chunks), 0)::int AS chunks,
            count(*) FILTER (WHERE text = '')::int AS "withoutText", count(*) FILTER (WHERE chunks = 0)::int AS "withoutChunks"
     FROM (SELECT d.text, (SELECT count(*) FROM chunks c WHERE c.document_id = d.id) AS chunks FROM documents d) AS each`,
  );
  return row ?? { documents: 0, chunks: 0, withoutText: 0, withoutChunks: 0 };
}

/**
 * The mistake of v1.3.0. Its reindexing makes text and chunks anew from the layout that Docling recorded, and documents
 * that MinerU read have none: they lose both. Gives how many documents were written.
 */
export async function reindex(database: Database): Promise<number> {
  return await database.transaction(async (db) => {
    const written = await db.query<{ id: string }>(
      `UPDATE documents SET text = '' WHERE backend <> 'docling' RETURNING id`,
    );
    await db.query('DELETE FROM chunks WHERE document_id = ANY ($1)', [written.map(({ id }) => id)]);
    return written.length;
  });
}

/** Releases that came with Docling know how to reindex. */
export function canReindex(release: string | undefined): boolean {
  return release?.startsWith('v1.3.') ?? false;
}
