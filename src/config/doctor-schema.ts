import { z } from 'zod';
import { text } from './fields.ts';

/** Goes into the arguments of a program inside a pod: nothing that such a program could take for an option. */
const host = z
  .string({ error: 'a host name or address' })
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, { error: 'a host name or address' });

const database = z.strictObject(
  {
    name: text.describe('As it is told.'),
    host,
    port: z.int().min(1).max(65_535),
  },
  { error: '{name, host, port}' },
);

/** What `backstay doctor` asks beside what it finds in the environment of the workloads. */
export const doctor = z
  .strictObject(
    {
      hosts: z
        .array(host, { error: 'a list of host names' })
        .default([])
        .describe('Names that must resolve from inside the stack.'),
      databases: z
        .array(database, { error: 'a list of {name, host, port}' })
        .default([])
        .describe('Data stores that must be reachable from inside. Default: what connection strings name.'),
    },
    { error: '{hosts, databases}' },
  )
  .prefault({});
