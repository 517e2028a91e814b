import { type Database, openDatabase } from '../kit/database.ts';
import { Metrics } from '../kit/metrics.ts';
import {
  type Ask,
  createService,
  type Env,
  faultsOf,
  type Handler,
  type Service,
  type ServiceDeps,
} from '../kit/service.ts';
import { addEntity, entities, figuresOf } from './graph.ts';
import { layOut, revisionOf, upgrade } from './migrations.ts';
import { type Release, releaseOf } from './release.ts';

export interface IntelgraphDeps extends ServiceDeps {
  readonly database?: Database;
  /** Finds the program, or fetches it. */
  readonly alembic: () => Promise<string>;
  /** Folder for what the image carries. */
  readonly app: string;
}

const CLOSED = {
  status: 503,
  body: { status: 'maintenance', reason: 'MAINTENANCE_MODE is on' },
  headers: { 'retry-after': '30' },
};

/** intelgraph-server: who is connected with whom. Migrates the schema up to its own release, unless it is closed. */
export function createIntelgraph(env: Env, deps: IntelgraphDeps): Service {
  const database = deps.database ?? openDatabase(env);
  const release = releaseOf(env['BACKSTAY_IMAGE_TAG']);
  const isClosed = env['MAINTENANCE_MODE'] === 'true';
  const faults = faultsOf(env);
  const metrics = new Metrics();
  metrics.gauge('intelgraph_maintenance', '1 while it is closed.', isClosed ? 1 : 0);
  const migrated = isClosed ? async () => undefined : migratedOnce(database, release, deps, env);

  const withDatabase =
    (answer: Handler): Handler =>
    async (ask) => {
      if (faults().unavailable === true)
        return { status: 503, body: { status: 'unavailable', reason: 'the database is gone (injected fault)' } };
      try {
        await migrated();
        return await answer(ask);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { status: 503, body: { status: 'unavailable', reason } };
      }
    };
  /** Nothing of users while it is closed. */
  const open = (answer: Handler): Handler => (isClosed ? () => CLOSED : withDatabase(answer));

  return createService({
    name: 'intelgraph-server',
    env,
    deps,
    metrics,
    calm: ['/health/ready', '/health/database', '/health/open'],
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok', version: release.tag } }),
      'GET /health/open': () => (isClosed ? CLOSED : { status: 200, body: { status: 'open' } }),
      // Closed is not broken: the pod stays among those that are asked, and says so itself.
      'GET /health/ready': withDatabase(async () => {
        if (!isClosed) await entities(database, release, 1);
        return { status: 200, body: { status: isClosed ? 'maintenance' : 'ready' } };
      }),
      'GET /health/database': withDatabase(async () => {
        const [revision, figures] = [await revisionOf(database), await figuresOf(database)];
        const isWhole = figures.loose < figures.entities;
        return { status: isWhole ? 200 : 503, body: { status: isWhole ? 'ok' : 'damaged', revision, ...figures } };
      }),
      'GET /api/auth/check': open((ask) => {
        const known = ask.headers.authorization === `Bearer ${env['API_TOKEN'] ?? ''}`;
        return known ? { status: 200, body: { user: 'service' } } : { status: 401, body: { error: 'who is asking?' } };
      }),
      'GET /api/entities': open(async () => ({
        status: 200,
        body: { entities: await entities(database, release, 100) },
      })),
      'POST /api/entities': open(async (ask) => {
        const entity = await entityIn(ask);
        if (entity === undefined) return { status: 422, body: { error: 'an entity is {title, kind}' } };
        return { status: 201, body: { id: await addEntity(database, release, entity) } };
      }),
    },
    prepare: async () => await layOut(deps.app, release, await deps.alembic()),
    finish: async () => {
      if (deps.database === undefined) await database.end();
    },
  });
}

/** Until it worked once; a database that is away is asked again by the next caller. */
function migratedOnce(database: Database, release: Release, { app }: IntelgraphDeps, env: Env): () => Promise<void> {
  let done: Promise<void> | undefined;
  return async () => {
    done ??= upgrade(database, release, app, env).catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    await done;
  };
}

async function entityIn(ask: Ask): Promise<{ readonly title: string; readonly kind: string } | undefined> {
  try {
    const { title, kind } = JSON.parse((await ask.body()).toString('utf8')) as Record<string, unknown>;
    return typeof title === 'string' && typeof kind === 'string' ? { title, kind } : undefined;
  } catch {
    return undefined;
  }
}
