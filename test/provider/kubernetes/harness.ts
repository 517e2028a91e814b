import { expect } from 'vitest';
import { isBackstayError } from '../../../src/errors/index.ts';
import {
  capturedForm,
  type ForeignField,
  type JsonObject,
  type KubeObject,
  keyOf,
  type ObjectKey,
  refOf,
} from '../../../src/model/index.ts';
import type { EngineProgress, Permit } from '../../../src/ports/index.ts';
import type { Marked } from '../../../src/provider/codec.ts';
import { kubernetesPlugin } from '../../../src/provider/kubernetes/plugin.ts';
import { Session } from '../../../src/provider/kubernetes/session.ts';
import type { DiffAnswer, Outputs } from '../../../src/provider/plugin.ts';
import { typeVersion } from '../../../src/program/classes.ts';
import { testCluster } from '../../support/cluster.ts';

export interface Harness {
  readonly session: Session;
  readonly progress: readonly EngineProgress[];
  readonly warnings: readonly string[];
  readonly check: (object: KubeObject, name?: string) => Promise<void>;
  readonly diff: (object: KubeObject, state?: JsonObject) => Promise<DiffAnswer>;
  readonly create: (
    object: KubeObject,
    options?: { readonly preview?: boolean; readonly signal?: AbortSignal },
  ) => Promise<{ readonly id: string; readonly outputs: Outputs }>;
  readonly update: (
    object: KubeObject,
    state?: JsonObject,
    options?: { readonly preview?: boolean },
  ) => Promise<Outputs>;
  readonly read: (object: KubeObject) => ReturnType<ReturnType<typeof kubernetesPlugin>['read']>;
  readonly delete: (object: KubeObject, name?: string) => Promise<void>;
}

export interface HarnessOptions {
  readonly permit?: Permit;
  readonly foreign?: readonly ForeignField[];
  readonly readyTimeoutMs?: number;
}

/** The plugin over the test run's API server, as the engine would call it in one run. */
export async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const { cluster } = await testCluster();
  const progress: EngineProgress[] = [];
  const warnings: string[] = [];
  const session = new Session({
    cluster,
    permit: options.permit,
    foreign: options.foreign ?? [],
    readyTimeoutMs: options.readyTimeoutMs ?? 0,
    onProgress: (event) => progress.push(event),
    log: {
      connect: () => undefined,
      say: (_urn, severity, message) => void (severity === 'warning' && warnings.push(message)),
      close: () => undefined,
    },
  });
  const plugin = kubernetesPlugin(session);
  const never = new AbortController().signal;
  const named = (object: KubeObject, name: string = keyOf(object)) => {
    const type = `kubernetes:${typeVersion(object.apiVersion)}:${object.kind}`;
    return { type, urn: `urn:pulumi:test::backstay::${type}::${name}` };
  };
  return {
    session,
    progress,
    warnings,
    check: async (object, name) => {
      const { failures } = await plugin.check({ ...named(object, name), olds: marked({}), news: marked(object) });
      if (failures.length > 0) throw new TypeError(failures.map(({ reason }) => reason).join());
    },
    diff: (object, state = {}) => plugin.diff({ ...named(object), id: '', olds: marked(state), news: marked(object) }),
    create: (object, { preview = false, signal = never } = {}) =>
      plugin.create({ ...named(object), inputs: marked(object), preview, signal }),
    update: (object, state = {}, { preview = false } = {}) =>
      plugin.update({ ...named(object), id: '', olds: marked(state), news: marked(object), preview, signal: never }),
    read: (object) => plugin.read({ ...named(object), id: '', state: marked(object), inputs: marked({}) }),
    delete: (object, name) => plugin.delete({ ...named(object, name), id: '', state: marked(object), signal: never }),
  };
}

function marked(value: object): Marked {
  return { value: value as JsonObject, secrets: [], unknowns: [] };
}

/** A permit that names these objects for everything but deletion. */
export function permitting(objects: readonly KubeObject[], more: Partial<Permit> = {}): Permit {
  const keys: ReadonlySet<ObjectKey> = new Set(objects.map(keyOf));
  return {
    create: keys,
    update: keys,
    replace: new Set(),
    delete: new Map(),
    observed: new Map(),
    takeFrom: [],
    ...more,
  };
}

export function configMap(
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>>,
  more: object = {},
): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data, ...more };
}

export function deployment(
  namespace: string,
  name: string,
  more: {
    readonly selector?: string;
    readonly env?: readonly object[];
    readonly replicas?: number;
    readonly annotations?: Readonly<Record<string, string>>;
  } = {},
): KubeObject {
  const labels = { app: more.selector ?? name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, ...(more.annotations === undefined ? {} : { annotations: more.annotations }) },
    spec: {
      replicas: more.replicas ?? 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name: 'main', image: 'example/main:1', ...(more.env === undefined ? {} : { env: more.env }) }],
        },
      },
    },
  };
}

/** Expects the live object to equal the target in captured form, after this server's defaulting; returns it. */
export async function expectArrived(target: KubeObject): Promise<KubeObject> {
  const { cluster } = await testCluster();
  for (;;) {
    const live = await cluster.get(refOf(target));
    if (live === undefined) throw new TypeError(`${keyOf(target)} is missing`);
    const { resourceVersion = '' } = live.metadata;
    try {
      const wanted = await cluster.replace(
        { ...target, metadata: { ...target.metadata, resourceVersion } },
        { dryRun: true },
      );
      expect(capturedForm(live)).toEqual(capturedForm(wanted));
      return live;
    } catch (error) {
      // A controller wrote the status in between.
      if (!isBackstayError(error, 'OBJECT_MOVED')) throw error;
    }
  }
}
