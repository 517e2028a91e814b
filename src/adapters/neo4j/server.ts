import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { type Access, type Ask, connected, isOnlyAway } from './bolt.ts';
import { serverFacts } from './contents.ts';
import type { Place } from './place.ts';

/** Between two looks at a server that starts or stops, milliseconds. */
const AGAIN_MS = 100;

export interface Server {
  readonly place: Place;
  /** Asked before each connection, for a way through the cluster may lead to another pod by then. */
  readonly access: () => Promise<Access>;
  /** Of one start or stop, in milliseconds. */
  readonly limitMs: number;
}

/** The database that is served now; undefined when nobody answers. @throws when a login is refused */
export async function servedNow({ access }: Server): Promise<string | undefined> {
  try {
    return await connected(await access(), async (ask) => (await serverFacts(ask)).live);
  } catch (error) {
    if (isAway(error)) return undefined;
    throw error;
  }
}

/**
 * Starts it unless it answers, and waits until it serves this database.
 * @throws TIMEOUT, STORE_FAILED when it serves another or says that it cannot open this one
 */
export async function serving(server: Server, database: string, signal?: AbortSignal): Promise<void> {
  const { place, limitMs } = server;
  if ((await servedNow(server)) === undefined) await place.start(signal);
  const until = performance.now() + limitMs;
  for (;;) {
    signal?.throwIfAborted();
    const found = await servedNow(server);
    if (found === database) return;
    if (found !== undefined)
      throw new BackstayError('STORE_FAILED', `the server serves ${found}, and was told to serve ${database}`, {
        next: 'Something else decides what it serves: look at its configuration and its environment.',
        details: { found, wanted: database },
      });
    const failure = found === undefined ? await failureOf(server, database) : undefined;
    if (failure !== undefined)
      throw new BackstayError('STORE_FAILED', `the server is up and cannot open ${database}: ${failure}`, {
        next: 'Look at its log.',
        details: { wanted: database },
      });
    if (performance.now() > until)
      throw new BackstayError('TIMEOUT', `the server did not serve ${database} within ${limitMs} ms`, {
        next: 'Look at its log.',
      });
    await delay(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
  }
}

/** Why a server that is up has given a database up, in its own words. Undefined while it may yet open it, or is away. */
async function failureOf({ access }: Server, database: string): Promise<string | undefined> {
  const look = async (ask: Ask): Promise<string | undefined> => {
    const all = await ask('SHOW DATABASES YIELD name, currentStatus, statusMessage');
    const row = all.find(({ name }) => name === database);
    const said = row?.['statusMessage'];
    return row?.['currentStatus'] === 'online' || typeof said !== 'string' || said === '' ? undefined : said;
  };
  return await connected(await access(), look, undefined, 'system').catch(() => undefined);
}

/** Stops it and waits until nobody answers any more. */
export async function stopped(server: Server, signal?: AbortSignal): Promise<void> {
  await server.place.stop(signal);
  const until = performance.now() + server.limitMs;
  while ((await servedNow(server)) !== undefined) {
    signal?.throwIfAborted();
    if (performance.now() > until)
      throw new BackstayError('TIMEOUT', `the server still answers ${server.limitMs} ms after it was told to stop`);
    await delay(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
  }
}

/** A way through the cluster finds no pod while there is none: that is away as well. */
function isAway(error: unknown): boolean {
  if (isOnlyAway(error)) return true;
  return isBackstayError(error) && error.code === 'ENDPOINT_UNREACHABLE';
}
