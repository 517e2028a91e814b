import type { KubeObject } from '../../model/index.ts';
import { part } from '../verdict.ts';
import type { Finding, Observations, Said } from './types.ts';
import { count, kubectl, nameOf } from './workloads.ts';

interface ServiceSpec {
  readonly type: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name?: string; readonly port: number }[];
}

interface Slice {
  readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[] | null;
}

/** A Service whose pods are all away or not ready answers nobody. */
export function aboutServices({ objects, slices }: Observations): Said | string {
  if ('why' in slices) return slices.why;
  const services = objects.filter(isService).filter((service) => {
    const { type, selector } = part<ServiceSpec>(service, 'spec');
    return type !== 'ExternalName' && Object.keys(selector ?? {}).length > 0;
  });
  const findings = services.flatMap((service) => {
    const own = slices.value.filter(
      ({ metadata }) =>
        metadata.namespace === service.metadata.namespace &&
        metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name,
    );
    const endpoints = own.flatMap((slice) => (slice as unknown as Slice).endpoints ?? []);
    if (endpoints.some(({ conditions }) => conditions?.ready !== false)) return [];
    const selector = Object.entries(part<ServiceSpec>(service, 'spec').selector ?? {})
      .map(([label, value]) => `${label}=${value}`)
      .join(',');
    const message =
      endpoints.length === 0
        ? `has no endpoints: no pod has the labels ${selector}`
        : `has no ready endpoint, ${endpoints.length} not ready`;
    const next = kubectl(service, `get pods -l ${selector}`);
    return [{ grade: 'bad' as const, subject: nameOf(service), message, next }];
  });
  return { summary: `${count(services.length, 'Service')} with ready endpoints`, findings };
}

const isService = ({ kind, apiVersion }: KubeObject): boolean => kind === 'Service' && apiVersion === 'v1';

interface Backend {
  readonly service?: { readonly name: string; readonly port?: { readonly number?: number; readonly name?: string } };
}

interface IngressSpec {
  readonly defaultBackend: Backend;
  readonly rules: readonly {
    readonly host?: string;
    readonly http?: { readonly paths?: readonly { readonly path?: string; readonly backend: Backend }[] };
  }[];
  readonly tls: readonly { readonly secretName?: string }[];
}

/** Rules that lead to a Service or a port that is not there, and addresses that nobody gave. */
export function aboutIngresses({ objects }: Observations): Said {
  const ingresses = objects.filter(({ kind }) => kind === 'Ingress');
  const findings = ingresses.flatMap((ingress) => [...deadRules(ingress, objects), ...lacking(ingress, objects)]);
  const said = ingresses.length === 0 ? 'no Ingress' : `${ingresses.length} with rules that all lead somewhere`;
  return { summary: said, findings };
}

function deadRules(ingress: KubeObject, objects: readonly KubeObject[]): readonly Omit<Finding, 'section'>[] {
  const { rules = [], defaultBackend } = part<IngressSpec>(ingress, 'spec');
  const routes = rules.flatMap(({ host = '*', http }) =>
    (http?.paths ?? []).map(({ path = '/', backend }) => ({ route: `${host}${path}`, backend })),
  );
  const all =
    defaultBackend === undefined ? routes : [...routes, { route: 'the default backend', backend: defaultBackend }];
  return all.flatMap(({ route, backend: { service } }) => {
    if (service === undefined) return [];
    const found = objects.find(
      (object) => isService(object) && object.metadata.name === service.name && sameNamespace(object, ingress),
    );
    const why = found === undefined ? `service ${service.name}, which is not there` : portProblem(found, service.port);
    if (why === undefined) return [];
    const next = kubectl(ingress, `describe ingress ${ingress.metadata.name}`);
    return [{ grade: 'bad' as const, subject: nameOf(ingress), message: `${route} leads to ${why}`, next }];
  });
}

function portProblem(
  service: KubeObject,
  port: { readonly number?: number; readonly name?: string } = {},
): string | undefined {
  const { ports = [] } = part<ServiceSpec>(service, 'spec');
  const there = ports.some((one) => (port.name === undefined ? one.port === port.number : one.name === port.name));
  if (there) return undefined;
  return `port ${port.name ?? port.number ?? '?'} of service ${service.metadata.name}, which has no such port`;
}

function lacking(ingress: KubeObject, objects: readonly KubeObject[]): readonly Omit<Finding, 'section'>[] {
  const subject = nameOf(ingress);
  const next = kubectl(ingress, `describe ingress ${ingress.metadata.name}`);
  const { tls = [] } = part<IngressSpec>(ingress, 'spec');
  const secrets = tls.flatMap(({ secretName }) => (secretName === undefined ? [] : [secretName]));
  const missing = secrets.filter(
    (name) => !objects.some((o) => o.kind === 'Secret' && o.metadata.name === name && sameNamespace(o, ingress)),
  );
  const { loadBalancer } = part<{ loadBalancer: { readonly ingress?: readonly unknown[] } }>(ingress, 'status');
  const served = (loadBalancer?.ingress ?? []).length > 0;
  return [
    ...missing.map((name) => ({
      grade: 'bad' as const,
      subject,
      message: `its certificate, secret/${name}, is not there`,
      next,
    })),
    ...(served ? [] : [{ grade: 'warn' as const, subject, message: 'has no address: no controller serves it', next }]),
  ];
}

const sameNamespace = (a: KubeObject, b: KubeObject): boolean => a.metadata.namespace === b.metadata.namespace;
