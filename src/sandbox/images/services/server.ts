import { type Database, openDatabase } from '../kit/database.ts';
import { Metrics } from '../kit/metrics.ts';
import { schemaOnce } from '../kit/schema.ts';
import { createService, type Env, faultsOf, type Handler, type Service, type ServiceDeps } from '../kit/service.ts';
import { canReindex, reindex, wholenessOf } from './reindex.ts';

export interface ServicesDeps extends ServiceDeps {
  readonly database?: Database;
}

/** medical-kg-rev-services: owns the schema, answers questions about users and the text of documents. */
export function createServices(env: Env, deps: ServicesDeps = {}): Service {
  const database = deps.database ?? openDatabase(env);
  const metrics = new Metrics();
  const schema = schemaOnce(database);
  const faults = faultsOf(env);

  /** 503 instead of an error while the database is away. */
  const withDatabase =
    (answer: Handler): Handler =>
    async (ask) => {
      if (faults().unavailable === true)
        return { status: 503, body: { status: 'unavailable', reason: 'the database is gone (injected fault)' } };
      try {
        await schema();
        return await answer(ask);
      } catch (error) {
        return {
          status: 503,
          body: { status: 'unavailable', reason: error instanceof Error ? error.message : String(error) },
        };
      }
    };

  return createService({
    name: 'medical-kg-rev-services',
    env,
    deps,
    metrics,
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
      'GET /ready': withDatabase(async () => {
        await database.query('SELECT 1');
        return { status: 200, body: { status: 'ready' } };
      }),
      'GET /health/data': withDatabase(async () => {
        const wholeness = await wholenessOf(database);
        const isWhole = wholeness.withoutText === 0 && wholeness.withoutChunks === 0;
        return { status: isWhole ? 200 : 503, body: { status: isWhole ? 'whole' : 'damaged', ...wholeness } };
      }),
      ...(canReindex(env['BACKSTAY_IMAGE_TAG'])
        ? {
            'POST /v1/reindex': withDatabase(async () => ({
              status: 200,
              body: { reindexed: await reindex(database) },
            })),
          }
        : {}),
      'GET /v1/users': withDatabase(async () => ({
        status: 200,
        body: { users: await database.query('SELECT id, email, name FROM users ORDER BY id') },
      })),
      'GET /v1/search': withDatabase(async ({ query }) => {
        const words = query.get('q') ?? '';
        if (words.trim() === '') return { status: 400, body: { error: 'say what to look for: ?q=WORDS' } };
        const hits = await database.query(
          `SELECT document_id AS document, position, text FROM chunks
           WHERE to_tsvector('english', text) @@ plainto_tsquery('english', $1) ORDER BY document_id, position LIMIT 20`,
          [words],
        );
        return { status: 200, body: { hits } };
      }),
    },
    finish: async () => {
      if (deps.database === undefined) await database.end();
    },
  });
}
