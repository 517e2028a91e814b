import { type Call, call as realCall } from '../kit/call.ts';
import { type Database, openDatabase } from '../kit/database.ts';
import { Metrics } from '../kit/metrics.ts';
import { schemaOnce } from '../kit/schema.ts';
import { createService, type Env, faultsOf, type Handler, type Service, type ServiceDeps } from '../kit/service.ts';
import { chunksOf, parse, ParserFailed, storeDocument } from './ingest.ts';
import { readState, setPaused } from './state.ts';

export interface OrchestratorDeps extends ServiceDeps {
  readonly database?: Database;
  readonly call?: Call;
}

/** Seconds after which a sender may try again while ingest is paused. */
const RETRY_AFTER = '30';

/**
 * pdf-orchestrator: the control plane of ingest. The backend is the one in its environment, so a changed ConfigMap takes
 * effect only with a new process. While ingest is paused new documents are refused with 503, not queued.
 */
export function createOrchestrator(env: Env, deps: OrchestratorDeps = {}): Service {
  const database = deps.database ?? openDatabase(env);
  const call = deps.call ?? realCall;
  const schema = schemaOnce(database);
  const faults = faultsOf(env);
  const metrics = new Metrics();
  const backend = env['PDF_PROCESSING_BACKEND'] ?? 'mineru';
  const parsers: Readonly<Record<string, string>> = {
    docling: env['DOCLING_URL'] ?? 'http://docling-vlm',
    mineru: env['MINERU_URL'] ?? 'http://mineru-parser',
  };
  const timeoutMs = Number(env['PARSER_TIMEOUT_MS'] ?? 20_000);
  let inFlight = 0;
  metrics.gauge('pdf_processing_backend_info', 'Which backend this process was started with.', 1, { backend });

  const withDatabase =
    (answer: Handler): Handler =>
    async (ask) => {
      if (faults().unavailable === true)
        return { status: 503, body: { error: 'the database is gone (injected fault)' } };
      try {
        await schema();
        return await answer(ask);
      } catch (error) {
        return { status: 503, body: { error: error instanceof Error ? error.message : String(error) } };
      }
    };

  const switchTo = (paused: boolean): Handler =>
    withDatabase(async (ask) => {
      const state = await setPaused(database, paused, reasonOf(await ask.body()));
      metrics.gauge('pdf_orchestrator_paused', '1 while ingest is paused.', state.paused ? 1 : 0);
      return { status: 200, body: { ...state, inFlight } };
    });

  const job: Handler = async (ask) => {
    const started = performance.now();
    const pdf = await ask.body(20 * 1024 * 1024);
    const state = await readState(database);
    if (state.paused)
      return {
        status: 503,
        body: { error: `ingest is paused: ${state.reason ?? 'no reason given'}`, since: state.since },
        headers: { 'retry-after': RETRY_AFTER },
      };
    const url = parsers[backend];
    if (url === undefined)
      return { status: 500, body: { error: `PDF_PROCESSING_BACKEND is ${backend}; docling or mineru was expected` } };
    inFlight += 1;
    try {
      const parsed = await parse(call, url, pdf, timeoutMs);
      const chunks = chunksOf(parsed.text);
      const stored = ask.query.get('store') !== 'false';
      const id = stored ? await storeDocument(database, parsed, chunks) : null;
      metrics.count('pdf_orchestrator_documents_total', 'Documents by result.', { backend, outcome: 'ok' });
      return {
        status: stored ? 201 : 200,
        body: { id, ...parsed, chunks: chunks.length, durationMs: Math.round(performance.now() - started) },
      };
    } catch (error) {
      if (!(error instanceof ParserFailed)) throw error;
      metrics.count('pdf_orchestrator_documents_total', 'Documents by result.', { backend, outcome: 'error' });
      return { status: 502, body: { error: `${backend}: ${error.message}` } };
    } finally {
      inFlight -= 1;
    }
  };

  return createService({
    name: 'pdf-orchestrator',
    env,
    deps,
    metrics,
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok', backend } }),
      'GET /ready': withDatabase(async () => ({
        status: 200,
        body: { status: 'ready', backend, paused: (await readState(database)).paused },
      })),
      'GET /v1/status': withDatabase(async () => ({
        status: 200,
        body: { ...(await readState(database)), backend, inFlight },
      })),
      'POST /v1/pause': switchTo(true),
      'POST /v1/resume': switchTo(false),
      'POST /v1/jobs': withDatabase(job),
    },
    finish: async () => {
      if (deps.database === undefined) await database.end();
    },
  });
}

/** `{"reason": "…"}`; a body that is none of this says nothing. */
function reasonOf(body: Buffer): string | null {
  try {
    const { reason } = JSON.parse(body.toString('utf8')) as { reason?: unknown };
    return typeof reason === 'string' ? reason.slice(0, 500) : null;
  } catch {
    return null;
  }
}
