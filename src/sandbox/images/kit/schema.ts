import type { Database } from './database.ts';

/** Any number, the same for all who make the schema: one at a time, across pods. */
const ADVISORY_LOCK = 731_204_118;

const TABLES = `
CREATE TABLE IF NOT EXISTS users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS documents (
  id uuid PRIMARY KEY,
  title text NOT NULL,
  backend text NOT NULL,
  pages integer NOT NULL CHECK (pages > 0),
  text text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS chunks (
  document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  position integer NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (document_id, position)
);
CREATE TABLE IF NOT EXISTS orchestration_state (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  paused boolean NOT NULL DEFAULT false,
  reason text,
  changed_at timestamptz NOT NULL DEFAULT now()
);`;

const SEED_USERS = [
  ['ada@medical-kg.example', 'Ada Okafor'],
  ['jun@medical-kg.example', 'Jun Watanabe'],
  ['mara@medical-kg.example', 'Mara Lindqvist'],
] as const;

const SEED_DOCUMENT = '0b6f6f0e-52e4-4f0b-9f6e-2d1f1f0c7a10';
const SEED_TEXT = ['Metformin lowers hepatic glucose production.', 'Renal function is checked before the first dose.'];

/**
 * Makes what is missing and nothing else: every pod may call it at any time. The seed rows are written only into tables
 * that this very call made, so that a row someone deleted stays deleted.
 */
export async function ensureSchema(database: Database): Promise<void> {
  await database.transaction(async (db) => {
    await db.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    const [before] = await db.query<{ made: boolean }>("SELECT to_regclass('public.users') IS NOT NULL AS made");
    await db.query(TABLES);
    if (before?.made === true) return;
    for (const user of SEED_USERS) await db.query('INSERT INTO users (email, name) VALUES ($1, $2)', user);
    await db.query('INSERT INTO documents (id, title, backend, pages, text) VALUES ($1, $2, $3, 1, $4)', [
      SEED_DOCUMENT,
      'Metformin, a summary',
      'mineru',
      SEED_TEXT.join('\n'),
    ]);
    for (const [position, text] of SEED_TEXT.entries())
      await db.query('INSERT INTO chunks VALUES ($1, $2, $3)', [SEED_DOCUMENT, position, text]);
    await db.query('INSERT INTO orchestration_state DEFAULT VALUES');
  });
}

/** Runs ensureSchema until it worked once; a database that is away is asked again by the next caller. */
export function schemaOnce(database: Database): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => {
    done ??= ensureSchema(database).catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    await done;
  };
}
