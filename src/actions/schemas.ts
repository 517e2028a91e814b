import { isBackstayError } from '../errors/index.ts';
import type { SchemaRevision } from '../model/index.ts';
import type { Migrations } from '../ports/index.ts';

export interface SchemasSeen {
  readonly schemas: readonly SchemaRevision[];
  /** Those that could not be asked: each is left out and never guessed. */
  readonly problems: readonly { readonly store: string; readonly why: string }[];
}

/** Revisions of the schemas as they are now. Never throws for a store that cannot be asked. */
export async function schemasOf(migrations: readonly Migrations[]): Promise<SchemasSeen> {
  const asked = await Promise.all(
    migrations.map(async (one) => {
      try {
        return { schema: await one.current() };
      } catch (error) {
        if (!isBackstayError(error)) throw error;
        return { problem: { store: one.store, why: error.message } };
      }
    }),
  );
  return {
    schemas: asked.flatMap(({ schema }) => (schema === undefined ? [] : [schema])),
    problems: asked.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
  };
}
