import type { Failpoints } from '../adapters/failpoints/index.ts';
import type { Environment } from '../config/index.ts';

/** Counts reaches for the whole process, whichever adapter they belong to. */
let failpoints: Promise<Failpoints> | undefined;

/** What lies around the writes of ports: nothing at all without the variables that tests set. */
export async function failpointsOf({ failpoints: settings }: Environment): Promise<Failpoints> {
  if (settings === undefined) return { around: (_port, adapter) => adapter, write: (_name, act) => act };
  failpoints ??= import('../adapters/failpoints/index.ts').then(({ createFailpoints }) => createFailpoints(settings));
  return await failpoints;
}
