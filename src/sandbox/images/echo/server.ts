import { Metrics } from '../kit/metrics.ts';
import { createService, type Env, type Service, type ServiceDeps } from '../kit/service.ts';

export interface EchoDeps extends ServiceDeps {
  readonly exit?: (code: number) => void;
}

/**
 * backstay/echo: says who it is and what its process was started with, so that tests see which pod answered and which
 * value it really has. `/env/NAME` is the value of a variable, 404 when it is not set; `/crash` ends the process.
 */
export function createEcho(env: Env, deps: EchoDeps = {}): Service {
  const exit = deps.exit ?? ((code: number) => process.exit(code));
  return createService({
    name: 'echo',
    env,
    deps,
    metrics: new Metrics(),
    routes: {
      'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
      'GET /crash': () => {
        setImmediate(exit, 3);
        return { status: 200, body: { status: 'crashing' } };
      },
    },
    otherwise: async ({ method, path, headers, body }) => {
      if (path.startsWith('/env/')) {
        const value = env[decodeURIComponent(path.slice('/env/'.length))];
        return value === undefined ? { status: 404, body: { error: 'not set' } } : { status: 200, body: value };
      }
      const sent = await body();
      const { VERSION = null, COLOR = null, HOSTNAME = null, BACKSTAY_IMAGE_TAG = null } = env;
      return {
        status: 200,
        body: {
          pod: HOSTNAME,
          version: VERSION,
          color: COLOR,
          tag: BACKSTAY_IMAGE_TAG,
          method,
          path,
          headers,
          ...(sent.length === 0 ? {} : { body: sent.toString('utf8') }),
        },
      };
    },
  });
}
