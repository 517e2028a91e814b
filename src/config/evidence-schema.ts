import { z } from 'zod';
import { duration, httpTarget, text } from './fields.ts';

export const SIZE = /^(\d+)(KiB|MiB|GiB)$/;

const size = z
  .string({ error: 'a size with its unit, such as 512KiB or 20MiB' })
  .regex(SIZE, { error: 'a size with its unit, such as 512KiB or 20MiB' });

/** What is kept of a failing version before it goes, and how long a run waits for that. */
export const evidence = z
  .strictObject(
    {
      limit: duration.default('10s').describe('How long a run waits for it at most.'),
      emergencyLimit: duration.default('3s').describe('The same for a run with --emergency.'),
      size: size.default('20MiB').describe('Of all files together, before they are compressed.'),
      logLines: z
        .int({ error: 'a number of lines' })
        .min(1)
        .max(100_000)
        .default(2_000)
        .describe('Newest lines of each container, and of the one before it.'),
    },
    { error: '{limit, emergencyLimit, size, logLines}' },
  )
  .prefault({});

const query = z.strictObject(
  { name: text.describe('Unique; the name of its file in the bundle.'), query: text.describe('PromQL.') },
  { error: '{name, query}' },
);

/** Where figures of the time before a run come from. */
export const metrics = z
  .strictObject(
    {
      prometheus: httpTarget.describe('Base of the HTTP API: what comes before /api/v1.'),
      window: duration.default('1h').describe('How far back the evidence of a run looks.'),
      step: duration.default('15s'),
      queries: z.array(query, { error: 'a list of {name, query}' }).min(1, { error: 'at least one query' }),
    },
    { error: '{prometheus, window, step, queries}' },
  )
  .describe('Figures of the hour before a run, kept as evidence.');
