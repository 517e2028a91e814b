import { z } from 'zod';
import type { MigrationSetting } from '../../model/index.ts';
import { namespace, text, textList } from '../fields.ts';
import type { Place } from './common.ts';

export const migrations = z
  .strictObject(
    {
      tool: z.enum(['alembic', 'flyway', 'table', 'command'], { error: 'alembic, flyway, table or command' }),
      runs: z.union(
        [
          z.strictObject({ folder: text.describe('On this machine; relative to the project.') }),
          z.strictObject({
            workload: text.describe('Kind/NAME: inside a running pod of it, which alone knows its way down.'),
            container: text.exactOptional(),
            namespace: namespace.exactOptional(),
            folder: text.exactOptional(),
          }),
        ],
        { error: '{folder} or {workload, container?, namespace?, folder?}' },
      ),
      command: z.array(text, { error: 'a list: program and first arguments' }).min(1).exactOptional(),
      table: text.exactOptional().describe('Table of the revisions.'),
      undo: text
        .exactOptional()
        .describe('Folder of scripts that lead down, NAME.down.sql; in the pod where it runs in one.'),
      urlVariable: text.default('DATABASE_URL').describe('Environment variable that takes the address to the tool.'),
      urlScheme: text.exactOptional().describe('What that address begins with, such as postgresql+psycopg.'),
      irreversible: textList.default([]).describe('Revisions whose way down must not be taken.'),
      compatible: z
        .array(
          z.strictObject(
            { revision: text, images: z.array(text, { error: 'a list of images' }).min(1) },
            { error: '{revision, images}' },
          ),
          { error: 'a list of {revision, images}' },
        )
        .exactOptional()
        .describe('Images, with * as wildcard, that are known to work with a newer schema: it can then be left alone.'),
    },
    { error: '{tool, runs, command?, table?, undo?, urlVariable?, urlScheme?, irreversible?, compatible?}' },
  )
  .describe('How the schema of this store is migrated.');

export function toMigrations({ runs, undo, ...rest }: z.output<typeof migrations>, place: Place): MigrationSetting {
  return {
    ...rest,
    runs: 'workload' in runs ? { kind: 'pod', ...runs } : { kind: 'local', folder: place.path(runs.folder) },
    // What runs in a pod finds its scripts there.
    ...(undo === undefined ? {} : { undo: 'workload' in runs ? undo : place.path(undo) }),
  };
}
