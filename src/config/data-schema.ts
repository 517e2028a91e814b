import { z } from 'zod';
import { SCENARIOS } from '../model/index.ts';
import { duration } from './fields.ts';

/** How data stores go with a rollback. */
export const data = z
  .strictObject(
    {
      scenario: z
        .enum(SCENARIOS, { error: 'A, B or C' })
        .exactOptional()
        .describe(
          'Where the schema is not that of the target: leave it alone (A), migrate it (B) or restore a backup (C). Default: by what the revisions and backups allow.',
        ),
      backupMaxAge: duration
        .default('1h')
        .describe('An older backup is restored only where --restore names it; else to a point in time.'),
    },
    { error: '{scenario, backupMaxAge}' },
  )
  .prefault({});
