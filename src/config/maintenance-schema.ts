import { z } from 'zod';
import type { MaintenanceSetting } from '../model/index.ts';
import { accept, duration, httpTarget, milliseconds, text, textList } from './fields.ts';

/** How the stack says that it is closed for a while. */
export const maintenance = z
  .strictObject(
    {
      flag: text.describe('Name of one of the flags.'),
      on: text.default('true'),
      off: text.default('false').describe('What it is set to where nobody knows any more what it was.'),
      workloads: textList
        .exactOptional()
        .describe('Restarted, for they read the flag when they start. Default: what reads the object that holds it.'),
      check: z
        .strictObject(
          {
            target: httpTarget,
            accept: accept.default([503]).describe('Status codes that say that it is on.'),
            timeout: duration.default('1m').describe('Until it has to say so.'),
          },
          { error: '{target, accept?, timeout?}' },
        )
        .exactOptional()
        .describe('How it shows that it is on. Default: the flag and its readers are believed.'),
    },
    { error: '{flag, on?, off?, workloads?, check?}' },
  )
  .check(({ value, issues }) => {
    if (value.on !== value.off) return;
    issues.push({ code: 'custom', path: ['off'], message: 'another value than `on`', input: value.off });
  })
  .describe('The flag by which the stack is closed while data is exchanged or migrated.');

export function toMaintenance({ check, ...raw }: z.output<typeof maintenance>): MaintenanceSetting {
  if (check === undefined) return raw;
  const { timeout, ...rest } = check;
  return { ...raw, check: { ...rest, timeoutMs: milliseconds(timeout) } };
}
