import { BackstayError } from '../../errors/index.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../model/index.ts';
import type { ApiKind, Cluster, KubeObjectList, ListOptions, Patch, WriteOptions } from '../../ports/index.ts';
import { Credentials } from './credentials.ts';
import { apiVersionOf, Discovery } from './discovery.ts';
import { execIn } from './exec.ts';
import { forwardTo } from './forward.ts';
import { loadAccess } from './kubeconfig.ts';
import { collectionPath, objectPath, withQuery } from './paths.ts';
import { proxied } from './proxy.ts';
import { Transport } from './transport.ts';
import { watchKind } from './watch.ts';

export interface ConnectOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** For KUBECONFIG, HOME, proxies and in-cluster addresses. Absent: none of them. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** @default 'backstay' */
  readonly userAgent?: string | undefined;
}

const FIELD_MANAGER = 'backstay';
const PAGE = 500;
const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const satisfies Record<Patch['type'], string>;

/** A connection to the API server that kubeconfig and context name. Sends nothing yet. Throws KUBECONFIG_INVALID. */
export async function connectCluster(options: ConnectOptions): Promise<Cluster> {
  const access = await loadAccess(options);
  const transport = new Transport({
    server: access.server,
    proxyUrl: access.cluster['proxy-url'],
    env: options.env ?? {},
    userAgent: options.userAgent ?? 'backstay',
    credentials: new Credentials(access, () => loadAccess(options)),
  });
  return clusterOver(transport, access.context);
}

function clusterOver(transport: Transport, context: string | undefined): Cluster {
  const discovery = new Discovery(transport);

  const served = async (ref: Pick<ObjectRef, 'apiVersion' | 'kind'>): Promise<ApiKind> => {
    const kind = await discovery.find(ref.apiVersion, ref.kind);
    if (kind !== undefined) return kind;
    throw new BackstayError(
      'KIND_UNKNOWN',
      `The API server at ${transport.server} does not serve ${ref.kind} of ${ref.apiVersion}.`,
      {
        details: { apiVersion: ref.apiVersion, kind: ref.kind },
      },
    );
  };

  const write = async (
    verb: string,
    method: string,
    ref: ObjectRef,
    body: unknown,
    options: WriteOptions & { readonly force?: boolean; readonly subresource?: string; readonly contentType?: string },
  ): Promise<KubeObject> => {
    const kind = await served(ref);
    const query = {
      fieldManager: options.fieldManager ?? FIELD_MANAGER,
      dryRun: options.dryRun === true ? 'All' : undefined,
      force: options.force === true ? 'true' : undefined,
    };
    const path = objectPath(kind, ref, query, options.subresource);
    const written = await transport.json<KubeObject>({
      verb,
      method,
      subject: `${ref.kind}/${ref.name}`,
      namespace: ref.namespace,
      path: method === 'POST' ? collectionPath(kind, ref.namespace, query) : path,
      headers: { 'content-type': options.contentType ?? 'application/json' },
      body: JSON.stringify(body),
      signal: options.signal,
    });
    if (options.dryRun !== true) discovery.expect(written);
    return written;
  };

  const list = async (kind: ApiKind, options: ListOptions = {}): Promise<KubeObjectList> => {
    try {
      return await pages(transport, kind, options);
    } catch (error) {
      // The pages' version is gone from the server's memory: start again, once, from a newer one.
      if (error instanceof BackstayError && error.details['status'] === 410)
        return await pages(transport, kind, options);
      throw error;
    }
  };

  const cluster: Cluster = {
    async identity() {
      const get = <T>(subject: string, path: string): Promise<T> =>
        transport.json<T>({ verb: 'get', method: 'GET', subject, path });
      const [version, system] = await Promise.all([
        get<{ readonly gitVersion: string }>('version', '/version'),
        get<KubeObject>('namespace kube-system', '/api/v1/namespaces/kube-system'),
      ]);
      const uid = system.metadata.uid ?? '';
      return {
        uid,
        version: version.gitVersion,
        server: transport.server,
        ...(context === undefined ? {} : { context }),
      };
    },
    kinds: () => discovery.preferred(),
    kindOf: (apiVersion, kind) => discovery.find(apiVersion, kind),
    async get(ref) {
      const path = objectPath(await served(ref), ref);
      const ask = { verb: 'get', method: 'GET', subject: `${ref.kind}/${ref.name}`, namespace: ref.namespace, path };
      return await unlessMissing(transport.json<KubeObject>(ask));
    },
    list,
    create: (object, options = {}) => write('create', 'POST', refOf(object), object, options),
    apply(object, options = {}) {
      // The server refuses an apply that carries managedFields; what was read from it always does.
      const { managedFields: _, ...metadata } = object.metadata;
      const contentType = 'application/apply-patch+yaml';
      return write('apply', 'PATCH', refOf(object), { ...object, metadata }, { ...options, contentType });
    },
    replace: (object, options = {}) => write('update', 'PUT', refOf(object), object, options),
    patch: (ref, patch, options = {}) =>
      write('patch', 'PATCH', ref, patch.body, { ...options, contentType: PATCH_TYPES[patch.type] }),
    async delete(ref, options = {}) {
      const path = objectPath(await served(ref), ref);
      const { uid, resourceVersion, propagation, dryRun, gracePeriodSeconds } = options;
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } }),
        ...(propagation === undefined ? {} : { propagationPolicy: propagation }),
        ...(dryRun === true ? { dryRun: ['All'] } : {}),
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      };
      const ask = {
        verb: 'delete',
        method: 'DELETE',
        subject: `${ref.kind}/${ref.name}`,
        namespace: ref.namespace,
        path,
      };
      const headers = { 'content-type': 'application/json' };
      const gone = await unlessMissing(transport.send({ ...ask, headers, body: JSON.stringify(body) }));
      return gone === undefined ? 'absent' : 'deleted';
    },
    watch: (kind, options) => watchKind(transport, list, kind, options),
    proxy: (request) => proxied(transport, request),
    async logs({ namespace, pod, container, signal, ...options }) {
      const path = withQuery(
        `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
        {
          container,
          previous: options.previous === true ? 'true' : undefined,
          timestamps: options.timestamps === true ? 'true' : undefined,
          sinceTime: options.sinceTime,
          tailLines: options.tailLines === undefined ? undefined : String(options.tailLines),
          limitBytes: options.limitBytes === undefined ? undefined : String(options.limitBytes),
        },
      );
      // The log endpoint refuses to promise JSON only.
      const headers = { accept: 'text/plain, application/json, */*' };
      const ask = { verb: 'get logs of', method: 'GET', subject: `Pod/${pod}`, namespace, path, headers, signal };
      return (await transport.send(ask)).text;
    },
    exec: (options) => execIn(transport, options),
    forward: (request) => forwardTo(transport, cluster, request),
    close: () => transport.close(),
  };
  return cluster;
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BackstayError && error.details['missing'] === true) return undefined;
    throw error;
  }
}

async function pages(transport: Transport, kind: ApiKind, options: ListOptions): Promise<KubeObjectList> {
  interface Page {
    readonly kind: string;
    readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
    readonly items: readonly KubeObject[] | null;
  }
  const items: KubeObject[] = [];
  const type = { apiVersion: apiVersionOf(kind), kind: kind.kind };
  let next: string | undefined;
  for (;;) {
    const page: Page = await transport.json<Page>({
      verb: 'list',
      method: 'GET',
      subject: kind.resource,
      namespace: options.namespace,
      signal: options.signal,
      path: collectionPath(kind, options.namespace, {
        limit: String(options.limit ?? PAGE),
        continue: next,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        // A later page names its version in its token.
        resourceVersion: next === undefined ? options.exactVersion : undefined,
        resourceVersionMatch: next === undefined && options.exactVersion !== undefined ? 'Exact' : undefined,
      }),
    });
    // Items of built-in lists come without apiVersion and kind.
    for (const item of page.items ?? []) items.push({ ...type, ...item });
    next = page.metadata.continue === '' ? undefined : page.metadata.continue;
    if (next === undefined) return { items, resourceVersion: page.metadata.resourceVersion ?? '' };
  }
}
