import { type Call, call as realCall } from '../kit/call.ts';
import { Metrics, parseMetrics, type Sample, sumOf } from '../kit/metrics.ts';
import { createService, type Env, type Service, type ServiceDeps } from '../kit/service.ts';
import { probeDocument } from './probe-document.ts';
import { evaluate, type Finding, type Probe, type Scrape } from './rules.ts';
import { AlertSender } from './sender.ts';

export interface MonitorDeps extends ServiceDeps {
  readonly call?: Call;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface Monitor extends Service {
  /** One scrape, one evaluation and what has to be sent; the running service does it every interval. */
  tick(): Promise<readonly Finding[]>;
}

/**
 * kg-monitor: scrapes the services of Medical_KG and works out Docling's three alerts, in place of a Prometheus with
 * `config/monitoring/alerts.yml`. It also sends a document of its own now and then, as a blackbox exporter would, so
 * that a fault shows without traffic.
 */
export function createMonitor(env: Env, deps: MonitorDeps = {}): Monitor {
  const number = (name: string, otherwise: number): number => Number(env[name] ?? otherwise);
  const docling = env['DOCLING_URL'] ?? 'http://docling-vlm';
  const targets: Readonly<Record<string, string>> = {
    orchestrator: env['ORCHESTRATOR_URL'] ?? 'http://pdf-orchestrator',
    docling,
    ...(env['GATEWAY_URL'] === undefined ? {} : { gateway: env['GATEWAY_URL'] }),
  };
  const intervalMs = number('SCRAPE_INTERVAL_MS', 1000);
  const windowMs = number('WINDOW_MS', 10_000);
  const probeEveryMs = number('PROBE_EVERY_MS', 2000);
  const thresholds = {
    slowSeconds: number('SLOW_SECONDS', 1),
    successRate: number('SUCCESS_RATE', 0.9),
    leastDocuments: number('LEAST_DOCUMENTS', 3),
  };
  const call = deps.call ?? realCall;
  const now = deps.now ?? Date.now;
  const metrics = new Metrics();
  const sender = new AlertSender({
    alertmanager: env['ALERTMANAGER_URL'] ?? 'http://alertmanager:9093',
    labels: { service: 'docling-vlm', namespace: env['WATCHED_NAMESPACE'] ?? 'production' },
    resendMs: number('RESEND_MS', 5000),
    call,
  });
  const document = probeDocument();
  let window: Scrape[] = [];
  let probes: Probe[] = [];
  let backend: string | undefined;
  let findings: readonly Finding[] = [];
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const scrape = async (job: string, url: string): Promise<readonly Sample[] | undefined> => {
    const answer = await call(`${url}/metrics`, { timeoutMs: 1000 }).catch(() => undefined);
    metrics.gauge('up', '1 when the last scrape worked.', answer?.status === 200 ? 1 : 0, { job });
    return answer?.status === 200 ? parseMetrics(answer.text) : undefined;
  };

  const probe = (): void => {
    const startedAt = now();
    probes.push({ startedAt });
    const end = (): void => {
      probes = probes.map((each) => (each.startedAt === startedAt ? { startedAt, endedAt: now() } : each));
    };
    void call(`${docling}/v1/parse`, {
      method: 'POST',
      headers: { 'content-type': 'application/pdf' },
      body: document,
      timeoutMs: windowMs,
    }).then(end, end);
  };

  const tick = async (): Promise<readonly Finding[]> => {
    const scrapes = await Promise.all(
      Object.entries(targets).map(async ([job, url]) => [job, await scrape(job, url)] as const),
    );
    const samples = new Map(scrapes);
    const at = now();
    backend =
      samples.get('orchestrator')?.find(({ name }) => name === 'pdf_processing_backend_info')?.labels['backend'] ??
      backend;
    window = [
      ...window.filter((each) => at - each.at <= windowMs),
      { at, backend, docling: countersOf(samples.get('docling')) },
    ];
    probes = probes.filter(({ endedAt }) => endedAt === undefined || at - endedAt <= windowMs);
    findings = evaluate(window, probes, thresholds);
    for (const { name, firing } of findings)
      metrics.gauge('ALERTS', '1 while an alert fires.', firing ? 1 : 0, { alertname: name, alertstate: 'firing' });
    const [lastProbe] = probes.slice(-1);
    const isDue =
      lastProbe === undefined || (lastProbe.endedAt !== undefined && at - lastProbe.startedAt >= probeEveryMs);
    if (backend === 'docling' && samples.get('docling') !== undefined && isDue) probe();
    await sender.tell(findings, at).catch((error: unknown) =>
      metrics.count('alerts_not_delivered_total', 'Times Alertmanager took no alert.', {
        reason: error instanceof Error ? error.name : 'unknown',
      }),
    );
    return findings;
  };

  /** The next one begins an interval after the last has ended, so that slow targets never pile up. */
  const loop = (): void => {
    if (!stopped) timer = setTimeout(() => void tick().then(loop, loop), intervalMs);
  };

  const service = createService({
    name: 'kg-monitor',
    env,
    deps,
    metrics,
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
      'GET /alerts': () => ({ status: 200, body: { backend: backend ?? null, findings } }),
    },
    finish: async () => {
      stopped = true;
      clearTimeout(timer);
      await Promise.resolve();
    },
  });
  return {
    ...service,
    tick,
    async start() {
      const url = await service.start();
      loop();
      return url;
    },
  };
}

function countersOf(samples: readonly Sample[] | undefined): Scrape['docling'] {
  if (samples === undefined) return undefined;
  const documents = (outcome: string): number => sumOf(samples, 'docling_vlm_documents_total', { outcome }) ?? 0;
  return {
    modelLoaded: sumOf(samples, 'docling_vlm_model_loaded') === 1,
    seconds: sumOf(samples, 'docling_vlm_processing_seconds_sum') ?? 0,
    documents: sumOf(samples, 'docling_vlm_processing_seconds_count') ?? 0,
    ok: documents('ok'),
    error: documents('error'),
  };
}
