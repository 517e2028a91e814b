import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.ts';

/** Any number, the same for all pods that migrate: one at a time. */
const ADVISORY_LOCK = 552_870_941;

/** One script that leads up, `20250120120000_embedding_queue.up.sql`. */
export interface UpScript {
  /** `20250120120000`. */
  readonly version: string;
  readonly name: string;
  readonly sql: string;
}

/** Scripts of a folder in their order, those after `newest` left out: a release carries only what was written before it. */
export async function upScripts(folder: string, newest: string): Promise<readonly UpScript[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.up.sql')).sort();
  const known = files.filter((file) => versionOf(file) <= newest);
  return await Promise.all(
    known.map(async (file) => ({
      version: versionOf(file),
      name: file.replace(/\.up\.sql$/, ''),
      sql: await readFile(join(folder, file), 'utf8'),
    })),
  );
}

function versionOf(file: string): string {
  return file.split('_')[0] ?? '';
}

/** Applies what `schema_migrations` lacks, each script in one transaction together with its row. Never leads down. */
export async function migrateUp(database: Database, scripts: readonly UpScript[]): Promise<readonly string[]> {
  const applied: string[] = [];
  for (const { version, name, sql } of scripts) {
    await database.transaction(async (db) => {
      await db.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
      await db.query('CREATE TABLE IF NOT EXISTS schema_migrations (version text PRIMARY KEY)');
      const [there] = await db.query('SELECT FROM schema_migrations WHERE version = $1', [version]);
      if (there !== undefined) return;
      await db.query(sql);
      await db.query('INSERT INTO schema_migrations (version) VALUES ($1)', [version]);
      applied.push(name);
    });
  }
  return applied;
}
