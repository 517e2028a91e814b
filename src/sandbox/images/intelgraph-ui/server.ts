import { call as realCall, type Call } from '../kit/call.ts';
import { Metrics } from '../kit/metrics.ts';
import { createService, type Env, type Service, type ServiceDeps } from '../kit/service.ts';

export interface UiDeps extends ServiceDeps {
  readonly call?: Call;
}

/**
 * intelgraph-ui: a page of what the server knows. `NEW_UI` chooses between two of them; the new one, of v4.0.5 and later,
 * fails on entities that nobody has rated, which is all of them.
 */
export function createUi(env: Env, deps: UiDeps = {}): Service {
  const call = deps.call ?? realCall;
  const server = env['SERVER_URL'] ?? 'http://intelgraph-server';
  const isNew = env['NEW_UI'] === 'true';
  const tag = env['BACKSTAY_IMAGE_TAG'] ?? 'v4.0.4';
  return createService({
    name: 'intelgraph-ui',
    env,
    deps,
    metrics: new Metrics(),
    calm: ['/health'],
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok', version: tag, ui: isNew ? 'new' : 'old' } }),
      'GET /': async () => {
        if (isNew && tag >= 'v4.0.5') return { status: 500, body: { error: 'confidence of an entity is missing' } };
        const { status, json } = await call(`${server}/api/entities`);
        if (status !== 200) return { status: 502, body: { error: `intelgraph-server answered ${status}` } };
        const { entities } = json as { entities: readonly { title: string }[] };
        const rows = entities.map(({ title }) => `<li>${escaped(title)}</li>`).join('');
        return { status: 200, body: `<ul>${rows}</ul>`, headers: { 'content-type': 'text/html; charset=utf-8' } };
      },
    },
  });
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
