import { Metrics } from '../kit/metrics.ts';
import { type Answer, type Ask, createService, type Env, type Service, type ServiceDeps } from '../kit/service.ts';
import { AlertStore, matcherOf, type PostableAlert } from './alerts.ts';

export interface AlertmanagerDeps extends ServiceDeps {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * A stand-in for Prometheus' Alertmanager: its v2 API for alerts, in memory, without silences, grouping or
 * notifications. It says so in its version.
 */
export function createAlertmanager(env: Env, deps: AlertmanagerDeps = {}): Service {
  const store = new AlertStore();
  const now = deps.now ?? Date.now;
  const startTime = new Date(now()).toISOString();
  const ok = (): Answer => ({ status: 200, body: 'OK' });

  const list = ({ query }: Ask): Answer => {
    try {
      const matchers = query.getAll('filter').map(matcherOf);
      return { status: 200, body: query.get('active') === 'false' ? [] : store.active(matchers, now()) };
    } catch (error) {
      return { status: 400, body: error instanceof Error ? error.message : String(error) };
    }
  };

  const receive = async (ask: Ask): Promise<Answer> => {
    try {
      for (const alert of alertsIn((await ask.body()).toString('utf8'))) store.put(alert, now());
      return { status: 200 };
    } catch (error) {
      return { status: 400, body: error instanceof Error ? error.message : String(error) };
    }
  };

  return createService({
    name: 'alertmanager',
    env: { PORT: '9093', ...env },
    deps,
    metrics: new Metrics(),
    routes: {
      'GET /-/ready': ok,
      'GET /-/healthy': ok,
      'GET /api/v2/alerts': list,
      'POST /api/v2/alerts': receive,
      'GET /api/v2/receivers': () => ({ status: 200, body: [{ name: 'default' }] }),
      'GET /api/v2/status': () => ({
        status: 200,
        body: {
          cluster: { status: 'disabled', peers: [] },
          config: { original: '' },
          uptime: startTime,
          versionInfo: {
            version: `${env['BACKSTAY_IMAGE_TAG'] ?? '0'}-backstay-stand-in`,
            branch: '',
            buildDate: '',
            buildUser: '',
            goVersion: '',
            revision: '',
          },
        },
      }),
    },
  });
}

function alertsIn(text: string): readonly PostableAlert[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new TypeError('a list of alerts was expected');
  return value.map((alert: Partial<PostableAlert>) => {
    const times = [alert.startsAt, alert.endsAt].filter((time) => time !== undefined);
    if (typeof alert.labels !== 'object' || alert.labels === null) throw new TypeError('an alert without labels');
    if (times.some((time) => typeof time !== 'string' || Number.isNaN(Date.parse(time))))
      throw new TypeError('a time that is no ISO 8601 time');
    return { ...alert, labels: alert.labels };
  });
}
