import { BackstayError } from '../errors/index.ts';
import type { HttpTarget, KubeObject } from '../model/index.ts';
import type { Cluster, HttpAnswer, HttpClient } from '../ports/index.ts';

export interface TargetDeps {
  readonly cluster: Cluster;
  readonly http: HttpClient;
  /** For names without a namespace. */
  readonly namespace: string;
}

export interface TargetRequest {
  readonly method: string;
  /** Added to the target's own path. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A target that was found: requests to it either get the target's own answer or fail with ENDPOINT_UNREACHABLE. */
export interface ResolvedTarget {
  /** For messages: `service gateway.production:80/health`. Never with a query. */
  readonly name: string;
  request(request: TargetRequest): Promise<HttpAnswer>;
}

/**
 * Finds where a target is, before anything is sent. The one place that knows how `via` is reached.
 * @throws TARGET_UNRESOLVED when the Service or Ingress is not there or has no address: nothing can be said about what is
 * behind it then. Also what the cluster throws (CLUSTER_FORBIDDEN, CLUSTER_UNREACHABLE).
 */
export async function resolveTarget(target: HttpTarget, deps: TargetDeps): Promise<ResolvedTarget> {
  if (target.via === undefined) return outsideTarget(target.url, deps.http);
  if ('service' in target.via) return await throughService(target.url, target.via, deps);
  return await throughIngress(target.url, target.via, deps);
}

/** Resolves and asks. */
export async function askTarget(target: HttpTarget, request: TargetRequest, deps: TargetDeps): Promise<HttpAnswer> {
  return await (await resolveTarget(target, deps)).request(request);
}

/** One that is reached without the cluster. @throws TARGET_UNRESOLVED for what is no absolute URL */
export function outsideTarget(url: string, http: HttpClient): ResolvedTarget {
  if (!URL.canParse(url)) throw unresolved(`${url} is not an absolute URL, and the target names no service or ingress`);
  const { host, pathname } = new URL(url);
  return {
    name: `${host}${pathname}`,
    request: async ({ path, ...request }) => await http.request({ ...request, url: joined(url, path) }),
  };
}

type ViaService = Extract<NonNullable<HttpTarget['via']>, { service: string }>;
type ViaIngress = Extract<NonNullable<HttpTarget['via']>, { ingress: string }>;

async function throughService(
  url: string,
  via: ViaService,
  { cluster, namespace: home }: TargetDeps,
): Promise<ResolvedTarget> {
  const namespace = via.namespace ?? home;
  const service = await cluster.get({ apiVersion: 'v1', kind: 'Service', namespace, name: via.service });
  if (service === undefined) throw unresolved(`there is no service ${via.service} in ${namespace}`);
  const name = `service ${via.service}.${namespace}:${via.port}${withoutQuery(url)}`;
  return {
    name,
    request: async ({ path, timeoutMs, signal, ...request }) => {
      const limit = AbortSignal.timeout(timeoutMs);
      const answer = await withinLimit(
        limit,
        name,
        timeoutMs,
        async () =>
          await cluster.proxy({
            ...request,
            namespace,
            service: via.service,
            port: via.port,
            path: joined(url, path),
            signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
          }),
      );
      const refusal = refusalOfProxy(answer);
      if (refusal !== undefined) throw new BackstayError('ENDPOINT_UNREACHABLE', `${name} gave no answer: ${refusal}`);
      return answer;
    },
  };
}

async function withinLimit<T>(limit: AbortSignal, name: string, ms: number, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!limit.aborted) throw error;
    throw new BackstayError('TIMEOUT', `${name} gave no whole answer within ${ms} ms`, { cause: error });
  }
}

/**
 * The API server answers for a Service without ready pods itself, with a 503 of its own. Taken for the pod's, it would
 * make a check that accepts 503 pass with nothing running.
 */
function refusalOfProxy({ status, headers, body }: HttpAnswer): string | undefined {
  if (status < 400 || !(headers['content-type'] ?? '').includes('json')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  const said = parsed as { kind?: unknown; apiVersion?: unknown; message?: unknown; code?: unknown } | null;
  if (said?.kind !== 'Status' || said.apiVersion !== 'v1' || said.code !== status) return undefined;
  return typeof said.message === 'string' ? said.message : `the API server answers ${status}`;
}

async function throughIngress(
  url: string,
  via: ViaIngress,
  { cluster, http, namespace: home }: TargetDeps,
): Promise<ResolvedTarget> {
  const namespace = via.namespace ?? home;
  const ref = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace, name: via.ingress };
  const ingress = await cluster.get(ref);
  if (ingress === undefined) throw unresolved(`there is no ingress ${via.ingress} in ${namespace}`);
  const route = routeOf(ingress, via.host);
  const base = `${route.scheme}://${route.host}${url.startsWith('/') ? url : `/${url}`}`;
  return {
    name: `ingress ${via.ingress}.${namespace} ${route.host}${withoutQuery(url)}`,
    request: async ({ path, ...request }) =>
      await http.request({ ...request, url: joined(base, path), connectTo: route.address }),
  };
}

interface Route {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly address: { readonly host: string; readonly port: number };
}

interface IngressShape {
  readonly spec?: {
    readonly rules?: readonly { readonly host?: string }[];
    readonly tls?: readonly { readonly hosts?: readonly string[] }[];
  };
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly {
        readonly ip?: string;
        readonly hostname?: string;
        readonly ports?: readonly { readonly port: number }[];
      }[];
    };
  };
}

/** Exported for its table test. */
export function routeOf(ingress: KubeObject, wantedHost: string | undefined): Route {
  const { spec, status } = ingress as IngressShape;
  const where = `ingress ${ingress.metadata.name}`;
  const entry = status?.loadBalancer?.ingress?.[0];
  const address = entry?.ip ?? entry?.hostname;
  if (address === undefined) throw unresolved(`${where} has no address in its status: no controller serves it yet`);
  const host = wantedHost ?? spec?.rules?.find((rule) => rule.host !== undefined)?.host ?? address;
  const ports = entry?.ports?.map(({ port }) => port) ?? [];
  const isTls = spec?.tls?.some(({ hosts }) => hosts === undefined || hosts.includes(host)) ?? false;
  const secure = isTls && (ports.length === 0 || ports.includes(443));
  const port = secure ? 443 : (ports.find((p) => p !== 443) ?? ports[0] ?? 80);
  return { scheme: secure ? 'https' : 'http', host, address: { host: address, port } };
}

/** Joins a target's path or URL and what is to be added to it, keeping the target's query. */
function joined(url: string, path: string | undefined): string {
  if (path === undefined) return url;
  const [base = '', query] = url.split('?', 2);
  return `${base.replace(/\/$/, '')}${path}${query === undefined ? '' : `${path.includes('?') ? '&' : '?'}${query}`}`;
}

function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

function unresolved(message: string): BackstayError {
  return new BackstayError('TARGET_UNRESOLVED', message);
}
