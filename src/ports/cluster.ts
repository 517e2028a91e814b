import type { JsonObject, KubeObject, ObjectRef } from '../model/index.ts';

/**
 * One API server as one user. Everything is raw JSON; nothing is cut to a generated model.
 * Errors: CLUSTER_UNREACHABLE, CLUSTER_UNAUTHENTICATED, CLUSTER_FORBIDDEN (verb and kind named), OBJECT_REFUSED (the
 * server's reason), OBJECT_MOVED (409 by precondition), OBJECT_CONFLICT (field owner named), KIND_UNKNOWN.
 * A missing object is `undefined`, not an error.
 */
export interface Cluster {
  /** UID of kube-system, server version (`v1.35.4`), URL. */
  identity(): Promise<ClusterIdentity>;
  /** Every kind that can be listed, one version each (the server's preferred one). Cached for the connection. */
  kinds(): Promise<readonly ApiKind[]>;
  /** The served kind of an apiVersion and kind; undefined when it is not served. */
  kindOf(apiVersion: string, kind: string): Promise<ApiKind | undefined>;
  get(ref: ObjectRef): Promise<KubeObject | undefined>;
  /** All objects of a kind, paged; `namespace` undefined lists the whole cluster. */
  list(kind: ApiKind, options?: ListOptions): Promise<KubeObjectList>;
  create(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  /** Server-side apply. `resourceVersion` in the object's metadata is a precondition. */
  apply(object: KubeObject, options?: WriteOptions & { readonly force?: boolean }): Promise<KubeObject>;
  /** PUT of the whole object; `metadata.resourceVersion` is a precondition. */
  replace(object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  patch(ref: ObjectRef, patch: Patch, options?: WriteOptions & { readonly subresource?: string }): Promise<KubeObject>;
  delete(ref: ObjectRef, options?: DeleteOptions): Promise<'deleted' | 'absent'>;
  /** Starts with the present objects, then every change until the signal fires. Survives 410, restarts and idle cuts. */
  watch(kind: ApiKind, options: WatchOptions): AsyncIterable<WatchEvent>;
  /**
   * An HTTP request through the API server's service or pod proxy; whatever the program behind answers is the answer.
   * ENDPOINT_UNREACHABLE when the API server finds no Service, no ready endpoint, or nobody listening.
   */
  proxy(request: ProxyRequest): Promise<HttpAnswer>;
  /** What a container wrote. OBJECT_REFUSED when there is no such container, or none before it for `previous`. */
  logs(options: LogOptions): Promise<string>;
  /**
   * Runs a program inside a container, without a terminal and without a shell of its own, and waits for its end. Errors:
   * EXEC_UNAVAILABLE when the node, a proxy on the way or the rights do not allow it.
   */
  exec(options: ExecOptions): Promise<ExecResult>;
  /**
   * A port of this machine's loopback that leads to a Service's ready pod, for what is no HTTP. Open until it is closed.
   * ENDPOINT_UNREACHABLE when there is no such Service or no ready pod.
   */
  forward(request: ForwardRequest): Promise<Forward>;
  close(): Promise<void>;
}

export interface ForwardRequest {
  readonly namespace: string;
  readonly service: string;
  /** Number or name of the Service's port. */
  readonly port: number | string;
}

export interface Forward {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface ClusterIdentity {
  readonly uid: string;
  readonly version: string;
  readonly server: string;
  readonly context?: string;
}

export interface ApiKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural, as in URLs. */
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** The list as it was at this resourceVersion. OBJECT_MOVED when the server has forgotten it (after some minutes). */
  readonly exactVersion?: string;
  /** Objects a page. @default 500 */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export interface KubeObjectList {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
}

export interface WriteOptions {
  /** @default 'backstay' */
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export type Patch =
  | { readonly type: 'merge'; readonly body: JsonObject }
  | { readonly type: 'strategic'; readonly body: JsonObject }
  | { readonly type: 'json'; readonly body: readonly JsonObject[] };

export interface DeleteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: 'Foreground' | 'Background' | 'Orphan';
  readonly dryRun?: boolean;
  readonly gracePeriodSeconds?: number;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly name?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal;
}

/** `synced` comes once, after the objects that were there at the start. */
export type WatchEvent =
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: KubeObject }
  | { readonly type: 'synced' };

export interface ProxyRequest {
  readonly namespace: string;
  readonly service?: string;
  readonly pod?: string;
  /** Port number or name of the Service (or pod). */
  readonly port: number | string;
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface LogOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Of the run before this one. */
  readonly previous?: boolean;
  readonly tailLines?: number;
  /** RFC 3339 time in front of each line. */
  readonly timestamps?: boolean;
  /** RFC 3339: only lines from then on. */
  readonly sinceTime?: string;
  /** Cuts the answer after so many bytes: the newest lines are what is lost. */
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
}

export interface ExecOptions {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Fed to its standard input. The protocol has no end of it: the program has to know how much it reads. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Takes its standard output as it comes, whatever its size. The result has none of it then. */
  readonly onStdout?: (chunk: Uint8Array) => void;
  readonly signal?: AbortSignal;
}

export interface ExecResult {
  /** 126 or 127 when the program is not in the container. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}
