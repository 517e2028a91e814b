import { BackstayError } from '../../errors/index.ts';
import { isProven, type Neo4jStoreSetting } from '../../model/index.ts';
import type { BackupShelf, Clock, Cluster, DataStore } from '../../ports/index.ts';
import type { AdminOptions, Neo4jTools } from './admin.ts';
import { takeBackup } from './backup.ts';
import { type Access, type Ask, connected, describeConnection } from './bolt.ts';
import { countsOf, integrityOf, serverFacts, sessionsOf, shapeOf } from './contents.ts';
import { sizeOf } from './folders.ts';
import type { Place } from './place.ts';
import { createLocalPlace } from './place-local.ts';
import { createWorkloadPlace } from './place-workload.ts';
import { obstaclesTo } from './preflight.ts';
import type { Variables } from './process.ts';
import { standing } from './record.ts';
import { proofOf, requireReadable, restoreBeside, tryOut } from './restore.ts';
import type { Server } from './server.ts';
import { finalize, swap, undoSwap } from './swap.ts';

export interface Neo4jStoreOptions {
  readonly stack: string;
  readonly setting: Neo4jStoreSetting;
  /** Where and how it is reached; asked before each act, for a way through the cluster may have to be opened. */
  readonly access: () => Promise<Access>;
  readonly shelf: BackupShelf;
  readonly clock: Clock;
  readonly env: Variables;
  /** Programs for a stack file that names none. */
  readonly tools: () => Promise<Neo4jTools>;
  /** Of the server that runs in it. */
  readonly cluster: () => Promise<Cluster>;
  /** Namespace of a workload whose setting names none. */
  readonly namespace: string;
}

/** A Neo4j Community database: dumped while it is stopped, loaded beside, and exchanged by what the server is told to serve. */
export function createNeo4jStore(options: Neo4jStoreOptions): DataStore {
  const { stack, setting, access, shelf, clock } = options;
  const env = ownOnly(options.env);
  const { limitMs } = setting;
  const now = (): string => new Date(clock.now()).toISOString();
  const place = placeOf({ ...options, env });
  const server: Server = { place, access, limitMs };
  const tools = async (): Promise<Neo4jTools> => setting.tools ?? (await options.tools());
  const admin = async (signal?: AbortSignal): Promise<AdminOptions> => ({
    tools: await tools(),
    env,
    limitMs,
    ...(signal === undefined ? {} : { signal }),
  });
  /** Of the live database by its server; of any other by a copy of it. */
  const asked = async <T>(database: string | undefined, work: (ask: Ask) => Promise<T>): Promise<T> => {
    const isLive = database === undefined || (await place.look()).live === database;
    if (isLive) return await connected(await access(), work);
    const own = await admin();
    return await place.withFiles(async (files) => await files.ask(own, database, work));
  };
  return {
    setting,
    inspect: async () => {
      const seen = await connected(await access(), async (ask) => ({
        ...(await serverFacts(ask)),
        rows: await countsOf(ask),
      }));
      const grounds = setting.server === undefined ? undefined : await place.folder();
      const bytes = grounds === undefined ? 0 : await sizeOf(grounds, seen.live);
      return { server: describeConnection(setting.connection), version: seen.version, bytes, rows: seen.rows };
    },
    sessions: async () => await connected(await access(), sessionsOf),
    shape: async (database) => await asked(database, shapeOf),
    integrity: async (database) => await asked(database, integrityOf),
    backups: async () => await shelf.list(),
    find: async (id) => await shelf.find(id),
    backup: async ({ signal, marker } = {}) => {
      const own = await admin(signal);
      signal?.throwIfAborted();
      return await shelf.add(
        async (id, folder) =>
          await takeBackup(
            {
              stack,
              store: setting.name,
              id,
              folder,
              admin: own,
              shelf,
              now,
              ...(marker === undefined ? {} : { marker }),
            },
            server,
          ),
      );
    },
    prove: async (backup, wanted, signal) => {
      if (isProven(backup, wanted)) return backup;
      const began = performance.now();
      const own = await admin(signal);
      await shelf.assertAsWritten(backup, signal);
      await requireReadable(backup, own);
      if (wanted === 'read') {
        const message = `${backup.manifest.file.bytes} bytes read and found consistent, digest as written`;
        return await shelf.record(backup, {
          proof: 'read',
          at: now(),
          durationMs: Math.round(performance.now() - began),
          message,
        });
      }
      const counts = await tryOut(backup, own);
      return await shelf.record(backup, proofOf(counts, 'on a server of their own', now(), began));
    },
    obstacles: async (backup) => await obstaclesTo(backup, server, await tools()),
    restoreBeside: async (backup, run, signal) => {
      const began = performance.now();
      const own = await admin(signal);
      signal?.throwIfAborted();
      // Read again even if it was before: what lies on a disk for weeks may have changed since.
      await shelf.assertAsWritten(backup, signal);
      await requireReadable(backup, own);
      const { beside, rows } = await restoreBeside({ backup, run, admin: own, place, shelf });
      const proof = proofOf(rows, `in ${beside}`, now(), began);
      return { backup: await shelf.record(backup, proof), database: beside, rows, proof };
    },
    swap: async (run) => await swap(server, run),
    undoSwap: async (run) => await undoSwap(server, run),
    finalize: async (run) => await finalize(server, run),
    stateOf: async (run) => standing(await place.look(), run),
  };
}

/** What Neo4j's programs need of our environment. The rest, secrets among it, does not reach them. */
function ownOnly(env: Variables): Variables {
  const wanted = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'JAVA_HOME', 'JAVA_OPTS', 'HEAP_SIZE'];
  return Object.fromEntries(wanted.map((name) => [name, env[name]]).filter(([, value]) => value !== undefined));
}

function placeOf({ setting, env, cluster, namespace }: Neo4jStoreOptions): Place {
  const { server, limitMs, connection, name } = setting;
  const { database } = connection;
  if (server?.kind === 'local') return createLocalPlace({ server, database, env, limitMs });
  if (server?.kind === 'workload') return createWorkloadPlace({ server, database, cluster, namespace, limitMs });
  const refuse = async (): Promise<never> => {
    throw new BackstayError(
      'STORE_UNSUPPORTED',
      `${name}: the stack file does not say how this Neo4j is stopped and started`,
      {
        next: 'Give the store `local` or `workload`: see docs/databases.md.',
      },
    );
  };
  const obstacles = async (): Promise<readonly string[]> => [
    'the stack file does not say how it is stopped and started',
  ];
  return { folder: refuse, withFiles: refuse, look: refuse, point: refuse, stop: refuse, start: refuse, obstacles };
}
