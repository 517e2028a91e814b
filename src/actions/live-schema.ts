import { isBackstayError } from '../errors/index.ts';
import type { Backup, SchemaRevision, Stack } from '../model/index.ts';
import { isUnknown, sameSchema, spell, type Unknown } from '../plan/index.ts';
import type { Migrations } from '../ports/index.ts';

export interface SchemaDeps {
  readonly stack: Stack;
  readonly migrations?: () => Promise<readonly Migrations[]>;
}

/** Asked only where a store says how it is migrated. */
export async function migrationsIn({ stack, migrations }: SchemaDeps): Promise<readonly Migrations[]> {
  return stack.stores.some((store) => 'migrations' in store) ? ((await migrations?.()) ?? []) : [];
}

export async function liveSchema(migrations: Migrations | undefined): Promise<SchemaRevision | Unknown> {
  if (migrations === undefined) return { unknown: 'the stack file does not say how it is migrated' };
  try {
    return await migrations.current();
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return { unknown: error.message };
  }
}

/** Of backups whose schema is another than that of the live data: what runs now was made for that one. In words. */
export async function otherSchemas(
  chosen: readonly { readonly store: string; readonly backup: Backup }[],
  deps: SchemaDeps,
): Promise<readonly string[]> {
  const all = await migrationsIn(deps);
  const said = await Promise.all(
    chosen.map(async ({ store, backup: { manifest } }) => {
      const { schema } = manifest;
      const by = all.find((one) => one.store === store);
      if (schema === undefined || by === undefined) return [];
      const live = await liveSchema(by);
      if (isUnknown(live)) return [`${store}: whether the application fits the backup is not known: ${live.unknown}`];
      if (sameSchema(schema, live)) return [];
      return [
        `${store}: the backup has the schema ${spell(schema)}, and live is at ${spell(live)}, for which the application that runs was made; \`rollback --restore ${store}=${manifest.id}\` takes both back`,
      ];
    }),
  );
  return said.flat();
}
