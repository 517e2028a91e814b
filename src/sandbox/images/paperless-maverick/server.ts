import { type Database, openDatabase } from '../kit/database.ts';
import { Metrics } from '../kit/metrics.ts';
import { migrateUp, upScripts } from '../kit/migrate.ts';
import {
  type Ask,
  createService,
  type Env,
  faultsOf,
  type Handler,
  type Service,
  type ServiceDeps,
} from '../kit/service.ts';
import { MIGRATIONS, type Release, releaseOf } from './release.ts';
import { addReceipt, dataOf, listReceipts, schemaOf, search } from './receipts.ts';

export interface PaperlessDeps extends ServiceDeps {
  readonly database?: Database;
}

/** paperless-maverick: receipts in, receipts found again. Migrates the schema up to its own release, never down. */
export function createPaperless(env: Env, deps: PaperlessDeps = {}): Service {
  const database = deps.database ?? openDatabase(env);
  const release = releaseOf(env['BACKSTAY_IMAGE_TAG']);
  const faults = faultsOf(env);
  const metrics = new Metrics();
  metrics.gauge('paperless_release_info', 'The release that runs.', 1, { release: release.tag });
  const migrated = migratedOnce(database, release);

  /** 503 with the reason, where the database is away or not as this release knows it. */
  const withDatabase =
    (answer: Handler): Handler =>
    async (ask) => {
      if (faults().unavailable === true)
        return { status: 503, body: { status: 'unavailable', reason: 'the database is gone (injected fault)' } };
      try {
        await migrated();
        return await answer(ask);
      } catch (error) {
        return { status: 503, body: { status: 'unavailable', reason: messageOf(error) } };
      }
    };

  return createService({
    name: 'paperless-maverick',
    env,
    deps,
    metrics,
    calm: ['/health/live', '/health/ready', '/health/database'],
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok', version: release.tag } }),
      'GET /health/live': () => ({ status: 200, body: { status: 'alive' } }),
      'GET /health/ready': withDatabase(async () => {
        // Not only whether somebody answers: whether this release's own questions can be answered.
        await listReceipts(database, release, 1);
        return { status: 200, body: { status: 'ready', theme: env['THEME'] ?? 'plain' } };
      }),
      'GET /health/database': withDatabase(async () => {
        const [schema, data] = [await schemaOf(database), await dataOf(database, release)];
        const isWhole = data.unreadable === 0;
        return { status: isWhole ? 200 : 503, body: { status: isWhole ? 'ok' : 'damaged', schema, ...data } };
      }),
      'GET /api/receipts': withDatabase(async () => ({
        status: 200,
        body: { receipts: await listReceipts(database, release, 100) },
      })),
      'POST /api/receipts': withDatabase(async (ask) => {
        const receipt = await receiptIn(ask);
        if (receipt === undefined) return { status: 422, body: { error: 'a receipt is {seller, total}' } };
        return { status: 201, body: { id: await addReceipt(database, release, receipt) } };
      }),
      'GET /api/search': withDatabase(async ({ query }) => ({
        status: 200,
        body: { receipts: await search(database, release, query.get('q') ?? '') },
      })),
      'POST /v1/self-test': withDatabase(async () => {
        const found = await search(database, release, 'railway');
        return found.length > 0
          ? { status: 200, body: { found: found.length } }
          : { status: 500, body: { error: 'no receipt is found by a word that stands in one' } };
      }),
    },
    finish: async () => {
      if (deps.database === undefined) await database.end();
    },
  });
}

/** Until it worked once; a database that is away is asked again by the next caller. */
function migratedOnce(database: Database, release: Release): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => {
    done ??= upScripts(MIGRATIONS, release.newest)
      .then(async (scripts) => void (await migrateUp(database, scripts)))
      .catch((error: unknown) => {
        done = undefined;
        throw error;
      });
    await done;
  };
}

async function receiptIn(ask: Ask): Promise<{ readonly seller: string; readonly total: number } | undefined> {
  try {
    const { seller, total } = JSON.parse((await ask.body()).toString('utf8')) as Record<string, unknown>;
    return typeof seller === 'string' && typeof total === 'number' ? { seller, total } : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
