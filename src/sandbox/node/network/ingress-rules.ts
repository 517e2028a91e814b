import type { KubeObject } from '../../../model/index.ts';

export interface Ingress extends KubeObject {
  readonly spec?: {
    readonly ingressClassName?: string;
    readonly defaultBackend?: Backend;
    readonly rules?: readonly Rule[];
  };
}

interface Rule {
  readonly host?: string;
  readonly http?: { readonly paths: readonly RulePath[] };
}

interface RulePath {
  readonly path?: string;
  readonly pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  readonly backend: Backend;
}

interface Backend {
  readonly service?: { readonly name: string; readonly port?: { readonly number?: number; readonly name?: string } };
}

export interface IngressTarget {
  readonly namespace: string;
  readonly service: string;
  readonly port: number | string;
}

/**
 * The backend for a request, by the rules of the API: an exact host before a wildcard before none; within the host the
 * longest path, Exact before Prefix; older Ingresses first where two say the same; then a default backend.
 */
export function matchIngress(ingresses: readonly Ingress[], host: string, path: string): IngressTarget | undefined {
  const ordered = [...ingresses].sort(byAge);
  const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
  const rules = ordered.flatMap((ingress) =>
    (ingress.spec?.rules ?? []).flatMap((rule) =>
      (rule.http?.paths ?? []).map((rulePath) => ({ ingress, host: rule.host ?? '', rulePath })),
    ),
  );
  for (const rank of ['exact', 'wildcard', 'any'] as const) {
    const candidates = rules
      .filter((rule) => hostRank(rule.host, name) === rank && pathMatches(rule.rulePath, path))
      .sort((a, b) => pathWeight(b.rulePath) - pathWeight(a.rulePath));
    for (const { ingress, rulePath } of candidates) {
      const target = targetOf(ingress, rulePath.backend);
      if (target !== undefined) return target;
    }
  }
  for (const ingress of ordered) {
    const target = ingress.spec?.defaultBackend && targetOf(ingress, ingress.spec.defaultBackend);
    if (target !== undefined) return target;
  }
  return undefined;
}

function hostRank(rule: string, host: string): 'exact' | 'wildcard' | 'any' | undefined {
  if (rule === '') return 'any';
  if (rule.toLowerCase() === host) return 'exact';
  // A wildcard stands for one label: *.example.com is a.example.com, not a.b.example.com.
  if (!rule.startsWith('*.')) return undefined;
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot + 1) === rule.slice(2).toLowerCase() ? 'wildcard' : undefined;
}

function pathMatches(rule: RulePath, path: string): boolean {
  const own = rule.path ?? '/';
  if (rule.pathType === 'Exact') return path === own;
  const [prefix, asked] = [elements(own), elements(path)];
  return prefix.length <= asked.length && prefix.every((element, index) => element === asked[index]);
}

/** `/aaa/bbb/` and `/aaa/bbb` are the same two elements. */
function elements(path: string): readonly string[] {
  return path.replace(/\/$/, '').split('/').slice(1);
}

function pathWeight(rule: RulePath): number {
  return (rule.path ?? '/').length * 2 + (rule.pathType === 'Exact' ? 1 : 0);
}

function byAge(a: Ingress, b: Ingress): number {
  const [left, right] = [a, b].map(
    ({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.namespace ?? ''}/${metadata.name}`,
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function targetOf(ingress: Ingress, backend: Backend): IngressTarget | undefined {
  const { service } = backend;
  const port = service?.port?.number ?? service?.port?.name;
  if (service === undefined || port === undefined) return undefined;
  return { namespace: ingress.metadata.namespace ?? 'default', service: service.name, port };
}
