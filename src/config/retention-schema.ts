import { z } from 'zod';
import { duration } from './fields.ts';

export const onInvalid = z
  .enum(['halt', 'return'], { error: 'halt or return' })
  .default('halt')
  .describe('When the checks fail at the target: halt for a person, or return to what was before by itself.');

/** How long the ways back stay open. */
export const retention = z
  .strictObject(
    {
      undo: duration.default('7d').describe('From the end of a run: what it needs to be undone is kept.'),
      snapshots: duration
        .default('90d')
        .describe('Snapshots without a label, not known good and not held are kept for so long.'),
      keep: z
        .int({ error: 'a number of snapshots' })
        .min(1, { error: 'a number of snapshots, at least 1' })
        .default(20)
        .describe('The newest so many snapshots are kept however old they are.'),
    },
    { error: '{undo, snapshots, keep}' },
  )
  .prefault({});
