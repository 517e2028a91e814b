import { type Call, call as realCall } from '../kit/call.ts';
import { type Database, openDatabase } from '../kit/database.ts';
import { Metrics } from '../kit/metrics.ts';
import {
  type Answer,
  createService,
  type Env,
  faultsOf,
  type Handler,
  type Routes,
  type Service,
  type ServiceDeps,
} from '../kit/service.ts';
import { guarded } from './auth.ts';
import { messageOf, parserHealth } from './health.ts';
import { gatewaySettings } from './settings.ts';

export interface GatewayDeps extends ServiceDeps {
  readonly database?: Database;
  readonly call?: Call;
}

const LARGEST_PDF = 20 * 1024 * 1024;

/** The gateway of Medical_KG in both of its roles: the edge that the Ingress reaches, and the inner one for documents. */
export function createGateway(env: Env, deps: GatewayDeps = {}): Service {
  const settings = gatewaySettings(env);
  const { role, backend, orchestrator, services } = settings;
  const database = deps.database ?? openDatabase(env);
  const call = deps.call ?? realCall;
  const faults = faultsOf(env);
  const metrics = new Metrics();
  metrics.gauge('pdf_processing_backend_info', 'Which backend this process was started with.', 1, { backend });

  const databaseHealth = async (): Promise<Answer> => {
    if (faults().unavailable === true)
      return { status: 503, body: { status: 'unavailable', reason: 'the database is gone (injected fault)' } };
    try {
      await database.query('SELECT 1');
      return { status: 200, body: { status: 'ok' } };
    } catch (error) {
      return { status: 503, body: { status: 'unavailable', reason: messageOf(error) } };
    }
  };

  const ready: Handler = async () => {
    const [db, jobs] = await Promise.all([
      databaseHealth(),
      call(`${orchestrator}/health`, { timeoutMs: 1500 }).catch(messageOf),
    ]);
    const reasons = [
      ...(db.status === 200 ? [] : ['database']),
      ...(typeof jobs === 'string'
        ? [`orchestrator: ${jobs}`]
        : jobs.status === 200
          ? []
          : [`orchestrator answered ${jobs.status}`]),
    ];
    return reasons.length === 0
      ? { status: 200, body: { status: 'ready', role, backend } }
      : { status: 503, body: { status: 'not ready', reasons } };
  };

  /** Hands a request on and its answer back, Retry-After included. */
  const forward = async (
    url: string,
    method: string,
    body?: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
    timeoutMs = 5000,
  ): Promise<Answer> => {
    try {
      const answer = await call(url, { method, headers, timeoutMs, ...(body === undefined ? {} : { body }) });
      const retry = answer.headers['retry-after'];
      return {
        status: answer.status,
        body: answer.json ?? answer.text,
        ...(typeof retry === 'string' ? { headers: { 'retry-after': retry } } : {}),
      };
    } catch (error) {
      return { status: 502, body: { error: messageOf(error) } };
    }
  };
  const control =
    (verb: 'pause' | 'resume' | 'status'): Handler =>
    async (ask) =>
      await forward(
        `${orchestrator}/v1/${verb}`,
        verb === 'status' ? 'GET' : 'POST',
        verb === 'status' ? undefined : await ask.body(),
      );

  const ingest: Handler = async (ask) => {
    if (!(ask.headers['content-type'] ?? '').startsWith('application/pdf'))
      return { status: 415, body: { error: 'documents are sent as application/pdf' } };
    const pdf = await ask.body(LARGEST_PDF);
    if (!pdf.subarray(0, 1024).includes('%PDF-')) return { status: 422, body: { error: 'the body is not a PDF' } };
    const store = ask.query.get('store') === 'false' ? '?store=false' : '';
    const answer = await forward(
      `${orchestrator}/v1/jobs${store}`,
      'POST',
      pdf,
      { 'content-type': 'application/pdf' },
      settings.ingestTimeoutMs,
    );
    metrics.count('medical_kg_ingest_total', 'Documents by result.', {
      backend,
      outcome: answer.status < 300 ? 'ok' : answer.status === 503 ? 'paused' : 'error',
    });
    return answer;
  };

  const list: Handler = async () => {
    try {
      const documents = await database.query(
        `SELECT d.id, d.title, d.backend, d.pages, d.created_at, count(c.*)::int AS chunks
         FROM documents d LEFT JOIN chunks c ON c.document_id = d.id GROUP BY d.id ORDER BY d.created_at DESC, d.id LIMIT 100`,
      );
      return { status: 200, body: { documents } };
    } catch (error) {
      return { status: 503, body: { error: messageOf(error) } };
    }
  };

  // Who is outside has no business with the control plane of ingest, and documents need no users.
  const users: Routes = {
    'GET /api/v1/users': guarded(settings, async () => await forward(`${services}/v1/users`, 'GET')),
    'POST /api/v1/documents/reindex': guarded(settings, async () => await forward(`${services}/v1/reindex`, 'POST')),
  };
  const controlPlane: Routes = {
    'GET /v1/orchestration/status': control('status'),
    'POST /v1/orchestration/pause': control('pause'),
    'POST /v1/orchestration/resume': control('resume'),
  };
  return createService({
    name: role === 'edge' ? 'medical-kg-rev-gateway' : 'gateway',
    env,
    deps,
    metrics,
    calm: ['/health/database', '/health/docling', '/health/mineru'],
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok', role, backend } }),
      'GET /ready': ready,
      'GET /health/database': databaseHealth,
      'GET /health/docling': async () => await parserHealth('docling', settings, call),
      'GET /health/mineru': async () => await parserHealth('mineru', settings, call),
      'GET /api/v1/health': () => ({
        status: 200,
        body: { status: 'ok', version: env['BACKSTAY_IMAGE_TAG'] ?? 'unknown' },
      }),
      'GET /api/v1/documents': guarded(settings, list),
      'POST /api/v1/documents': guarded(settings, ingest),
      ...(role === 'edge' ? users : controlPlane),
    },
    finish: async () => {
      if (deps.database === undefined) await database.end();
    },
  });
}
