import { type Call, call as realCall } from '../kit/call.ts';
import { Metrics } from '../kit/metrics.ts';
import {
  type Answer,
  type Ask,
  createService,
  type Env,
  type Handler,
  type Routes,
  type Service,
  type ServiceDeps,
} from '../kit/service.ts';
import { type Release, releaseOf } from './release.ts';

export interface KeikoDeps extends ServiceDeps {
  readonly call?: Call;
}

/** In the order of who is asked by whom. */
export const SERVICES = ['auth-service', 'search-service', 'document-service', 'chat-service', 'gateway-bff'] as const;
type Name = (typeof SERVICES)[number];

interface Parts {
  readonly release: Release;
  /** Asks another service, with the token that was brought, if any. */
  readonly ask: (service: Name, path: string, token?: string) => Promise<Answer>;
}

const FINE: Answer = { status: 200, body: { status: 'ok' } };

/**
 * The five services of Keiko, one by `SERVICE_NAME`. `/live` and `/ready` are those of the process; `/health` says whether it
 * can do its work, and those that it asks theirs.
 */
export function createKeiko(env: Env, deps: KeikoDeps = {}): Service {
  const call = deps.call ?? realCall;
  const name = nameOf(env['SERVICE_NAME']);
  const ask: Parts['ask'] = async (service, path, token) => {
    const url = `${env[variableOf(service)] ?? `http://${service}`}${path}`;
    try {
      const answer = await call(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
      return { status: answer.status, body: answer.json ?? answer.text };
    } catch (error) {
      return { status: 502, body: { error: error instanceof Error ? error.message : String(error) } };
    }
  };
  const routes = ROUTES[name]({ release: releaseOf(env['BACKSTAY_IMAGE_TAG'] ?? 'v1.2.0'), ask });
  return createService({
    name,
    env,
    deps,
    metrics: new Metrics(),
    routes: { 'GET /live': () => FINE, 'GET /ready': () => FINE, 'GET /health': () => FINE, ...routes },
  });
}

const ROUTES: Readonly<Record<Name, (parts: Parts) => Routes>> = {
  'auth-service': ({ release }) => ({
    'GET /v1/token': ({ query }) => ({
      status: 200,
      body: { token: `${release.token}.${query.get('user') ?? 'guest'}` },
    }),
  }),
  'search-service': (parts) => ({
    'GET /health': () => unlessWell(found(parts.release, '')),
    'GET /v1/search': knownTo(parts, ({ query }) =>
      found(parts.release, query.get('q') ?? '', query.get('index') ?? undefined),
    ),
  }),
  'document-service': (parts) => ({
    'GET /v1/documents': knownTo(parts, () => ({ status: 200, body: { documents: ['handbook', 'rollback plan'] } })),
  }),
  'chat-service': (parts) => {
    const search = async (words: string, token: string): Promise<Answer> =>
      await parts.ask('search-service', `/v1/search?index=${parts.release.asks}&q=${encodeURIComponent(words)}`, token);
    return {
      // As one who may ask, whatever auth-service does: its health is its own.
      'GET /health': async () => unlessWell(await search('', `${parts.release.takes[0] ?? ''}.health`)),
      'GET /v1/answer': knownTo(parts, async ({ query, headers }) => {
        const answer = await search(query.get('q') ?? '', tokenOf(headers.authorization));
        return answer.status === 200 ? answer : { status: 502, body: { error: 'nothing can be looked up' } };
      }),
    };
  },
  'gateway-bff': ({ ask }) => {
    const asUser =
      (service: Name, path: string): Handler =>
      async ({ query }) => {
        const { body } = await ask('auth-service', '/v1/token?user=reader');
        const token = (body as { readonly token?: string } | undefined)?.token;
        if (token === undefined) return { status: 502, body: { error: 'nobody can sign in' } };
        const words = query.get('q');
        return await ask(service, words === null ? path : `${path}?q=${encodeURIComponent(words)}`, token);
      };
    return {
      'GET /api/chat': asUser('chat-service', '/v1/answer'),
      'GET /api/documents': asUser('document-service', '/v1/documents'),
      ...Object.fromEntries(
        SERVICES.filter((service) => service !== 'gateway-bff').map((service) => [
          `GET /${service}/health`,
          async () => await ask(service, '/health'),
        ]),
      ),
    };
  },
};

/** Only with a token that this release takes. */
function knownTo({ release }: Parts, answer: Handler): Handler {
  return async (request: Ask) => {
    const [kind = ''] = tokenOf(request.headers.authorization).split('.');
    return release.takes.includes(kind)
      ? await answer(request)
      : { status: 401, body: { error: `a token of kind ${kind} is not known here` } };
  };
}

function found({ indexes, asks }: Release, words: string, index = asks): Answer {
  const documents = indexes[index];
  if (documents === undefined) return { status: 404, body: { error: `there is no index ${index}` } };
  if (documents.length === 0) return { status: 503, body: { error: `index ${index} is empty` } };
  return { status: 200, body: { hits: documents.filter((title) => title.includes(words)) } };
}

function unlessWell({ status, body }: Answer): Answer {
  return status === 200 ? FINE : { status: 503, body: { status: 'unavailable', because: body } };
}

function tokenOf(authorization: string | undefined): string {
  return (authorization ?? '').replace(/^Bearer /, '');
}

function nameOf(given: string | undefined): Name {
  const name = SERVICES.find((service) => service === given);
  if (name === undefined)
    throw new TypeError(`SERVICE_NAME is ${given ?? 'not set'}, not one of ${SERVICES.join(', ')}`);
  return name;
}

/** `AUTH_SERVICE_URL`. */
function variableOf(service: Name): string {
  return `${service.toUpperCase().replaceAll('-', '_')}_URL`;
}
