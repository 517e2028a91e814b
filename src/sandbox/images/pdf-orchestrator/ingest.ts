import { randomUUID } from 'node:crypto';
import type { Call } from '../kit/call.ts';
import type { Database } from '../kit/database.ts';

/** What a parser answers. */
export interface Parsed {
  readonly backend: string;
  readonly title: string;
  readonly text: string;
  readonly pages: number;
  readonly words: number;
}

/** A parser that does not answer, or answers with an error. */
export class ParserFailed extends Error {
  override readonly name = 'ParserFailed';
}

export async function parse(call: Call, url: string, pdf: Uint8Array, timeoutMs: number): Promise<Parsed> {
  let answer: Awaited<ReturnType<Call>>;
  try {
    answer = await call(`${url}/v1/parse`, {
      method: 'POST',
      headers: { 'content-type': 'application/pdf' },
      body: pdf,
      timeoutMs,
    });
  } catch (error) {
    throw new ParserFailed(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { status, json } = answer;
  const reason = json?.['error'] ?? json?.['reason'] ?? 'no reason given';
  if (status !== 200)
    throw new ParserFailed(
      `the parser answered ${status}: ${typeof reason === 'string' ? reason : JSON.stringify(reason)}`,
    );
  const { backend, title, text, pages, words } = json ?? {};
  if (
    typeof backend !== 'string' ||
    typeof title !== 'string' ||
    typeof text !== 'string' ||
    typeof pages !== 'number' ||
    typeof words !== 'number'
  ) {
    throw new ParserFailed('the parser answered 200 without text');
  }
  return { backend, title, text, pages, words };
}

const CHUNK_WORDS = 80;

/** Whole paragraphs up to about 80 words; a longer paragraph is a chunk of its own. */
export function chunksOf(text: string): string[] {
  const chunks: string[] = [];
  let current: string[] = [];
  let words = 0;
  const flush = (): void => {
    if (current.length > 0) chunks.push(current.join('\n\n'));
    current = [];
    words = 0;
  };
  for (const paragraph of text.split(/\n\s*\n/).map((part) => part.trim())) {
    if (paragraph === '') continue;
    const count = paragraph.split(/\s+/).length;
    if (words > 0 && words + count > CHUNK_WORDS) flush();
    current.push(paragraph);
    words += count;
  }
  flush();
  return chunks;
}

/** Document and chunks in one transaction. Returns the new document's id. */
export async function storeDocument(database: Database, parsed: Parsed, chunks: readonly string[]): Promise<string> {
  const id = randomUUID();
  await database.transaction(async (db) => {
    const { title, backend, pages, text } = parsed;
    await db.query('INSERT INTO documents (id, title, backend, pages, text) VALUES ($1, $2, $3, $4, $5)', [
      id,
      title,
      backend,
      pages,
      text,
    ]);
    await db.query(
      'INSERT INTO chunks SELECT $1, position - 1, text FROM unnest($2::text[]) WITH ORDINALITY AS c (text, position)',
      [id, chunks],
    );
  });
  return id;
}
