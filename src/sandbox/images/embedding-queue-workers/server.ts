import { type Database, openDatabase } from '../kit/database.ts';
import { Metrics } from '../kit/metrics.ts';
import { createService, type Env, faultsOf, type Service, type ServiceDeps } from '../kit/service.ts';
import { embed } from '../paperless-maverick/embedding.ts';
import { type Release, releaseOf } from '../paperless-maverick/release.ts';

export interface WorkersDeps extends ServiceDeps {
  readonly database?: Database;
}

/** Between two looks at an empty queue, milliseconds. */
const IDLE_MS = 300;

/** embedding-queue-workers: take receipts from the queue and store their vectors. Any number of them may run. */
export function createWorkers(env: Env, deps: WorkersDeps = {}): Service {
  const database = deps.database ?? openDatabase(env);
  const release = releaseOf(env['BACKSTAY_IMAGE_TAG']);
  const faults = faultsOf(env);
  const metrics = new Metrics();
  const ending = new AbortController();
  let working: Promise<void> = Promise.resolve();
  /** Why nothing can be done at the moment; undefined: nothing is wrong. */
  let trouble: string | undefined = 'not asked yet';

  const work = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      try {
        const done = await embedNext(database, release);
        trouble = undefined;
        if (done) metrics.count('paperless_embeddings_total', 'Receipts that were embedded.');
        else await pause();
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
        await pause();
      }
    }
  };

  return createService({
    name: 'embedding-queue-workers',
    env,
    deps,
    metrics,
    calm: ['/health/live', '/health/ready'],
    routes: {
      'GET /health/live': () => ({ status: 200, body: { status: 'alive', version: release.tag } }),
      'GET /health/ready': () => {
        const reason = faults().unavailable === true ? 'the queue is gone (injected fault)' : trouble;
        return reason === undefined
          ? { status: 200, body: { status: 'ready', batch: env['EMBEDDING_BATCH'] ?? '1' } }
          : { status: 503, body: { status: 'unavailable', reason } };
      },
    },
    prepare: async () => {
      working = work();
    },
    finish: async () => {
      ending.abort();
      await working;
      if (deps.database === undefined) await database.end();
    },
  });
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
}

/** One receipt, in one transaction: a worker that is killed leaves it in the queue. False: the queue is empty. */
export async function embedNext(database: Database, { seller, dimensions }: Release): Promise<boolean> {
  return await database.transaction(async (db) => {
    const [next] = await db.query<{ id: string; text: string }>(
      `SELECT q.receipt_id AS id, r.${seller} AS text FROM embedding_queue q JOIN receipts r ON r.id = q.receipt_id
       ORDER BY q.queued_at LIMIT 1 FOR UPDATE OF q SKIP LOCKED`,
    );
    if (next === undefined) return false;
    await db.query(
      `INSERT INTO embeddings (receipt_id, vector) VALUES ($1, $2)
       ON CONFLICT (receipt_id) DO UPDATE SET vector = excluded.vector, made_at = now()`,
      [next.id, embed(next.text, dimensions)],
    );
    await db.query('DELETE FROM embedding_queue WHERE receipt_id = $1', [next.id]);
    return true;
  });
}
