import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ComparisonHasher,
  createFsSnapshotStore,
  createKeyReader,
  createSecretHasher,
  initKeys,
} from '../../src/adapters/fs/index.ts';
import {
  KEY_FILES,
  type KubeObject,
  type SnapshotContent,
  type SnapshotRecord,
  type Stack,
} from '../../src/model/index.ts';
import type { KeyReader, NewSnapshot, SecretHasher, SnapshotStore } from '../../src/ports/index.ts';

/** A real store in a temporary folder, with real keys of its own, and a clock that moves one second at each look. */
export interface TemporaryStore {
  readonly store: SnapshotStore;
  readonly stack: Stack;
  readonly keys: KeyReader;
  readonly hasher: ComparisonHasher;
  /** Folder of the store; the stack's is `<root>/<stack.name>`. */
  readonly root: string;
  readonly keyFolder: string;
  /** ISO time, later at each call. */
  readonly now: () => string;
  readonly remove: () => Promise<void>;
}

export async function temporaryStore(name = 'demo', overrides: Partial<Stack> = {}): Promise<TemporaryStore> {
  const base = await mkdtemp(join(tmpdir(), 'backstay-store-'));
  const keyFolder = join(base, 'keys');
  const root = join(base, 'snapshots');
  const made = await initKeys(name, keyFolder, 'tester');
  const stack: Stack = { ...bareStack(name, keyFolder), ...overrides };
  const withKeys: Stack = {
    ...stack,
    secrets: { ...stack.secrets, recipients: [made.recipient] },
    signing: { ...stack.signing, trusted: [made.trusted] },
  };
  const keys = createKeyReader({});
  let time = Date.parse('2026-01-01T00:00:00Z');
  const tick = (): number => (time += 1_000);
  return {
    store: createFsSnapshotStore({ root, stack: withKeys, keys, clock: { now: tick }, by: BY }),
    stack: withKeys,
    keys,
    hasher: createSecretHasher((await readFile(join(keyFolder, KEY_FILES.comparisonKey), 'utf8')).trim()),
    root,
    keyFolder,
    now: () => new Date(tick()).toISOString(),
    remove: () => rm(base, { recursive: true, force: true }),
  };
}

const BY: SnapshotRecord['by'] = { user: 'tester', host: 'here', version: '0.0.0' };

/** A stack with nothing but a name, one namespace and a key folder. */
export function bareStack(name: string, keyFolder: string): Stack {
  return {
    name,
    file: `/nowhere/stacks/Pulumi.${name}.yaml`,
    cluster: { leaseNamespace: 'default', leaseDurationMs: 30_000 },
    namespaces: ['production'],
    capture: { exclude: [], include: [] },
    roles: { workers: [], data: [] },
    foreign: [],
    flags: [],
    stores: [],
    data: { backupMaxAgeMs: 3_600_000 },
    secrets: {
      recipients: [],
      identity: { file: join(keyFolder, KEY_FILES.identity) },
      comparisonKey: { file: join(keyFolder, KEY_FILES.comparisonKey) },
    },
    signing: { trusted: [], key: { file: join(keyFolder, KEY_FILES.signingKey) } },
    engine: {
      provider: 'backstay',
      backend: 'file:///nowhere',
      secretsProvider: 'passphrase',
      passphrase: { file: join(keyFolder, KEY_FILES.passphrase) },
      savedPlan: false,
    },
    hooks: [],
    checks: [],
    probes: [],
    context: { anyOf: [], dependencies: [] },
    evidence: { limitMs: 10_000, emergencyLimitMs: 3_000, limitBytes: 20 * 1024 ** 2, logLines: 2_000 },
    doctor: { hosts: [], databases: [] },
    order: [],
    onInvalid: 'halt',
    hold: { rollouts: true, autoscalers: true, deliveries: [] },
    retention: { undoMs: 604_800_000, snapshotsMs: 7_776_000_000, keep: 20 },
    readyTimeoutMs: 300_000,
    approvals: { approvers: {}, severities: {}, requireSeverity: false },
    requireReason: true,
  };
}

/** What `put` takes, from plain objects: Secrets are hidden first. */
export function newSnapshot(
  { hasher, stack, now }: Pick<TemporaryStore, 'stack' | 'now'> & { readonly hasher: SecretHasher },
  objects: readonly KubeObject[],
  record: Partial<NewSnapshot['record']> = {},
  content: Partial<SnapshotContent> = {},
): NewSnapshot {
  const hidden = hasher.hide(objects);
  return {
    content: {
      apiVersion: 'backstay.dev/v1',
      kind: 'SnapshotContent',
      stack: stack.name,
      clusterUid: 'cluster-1',
      namespaces: stack.namespaces,
      objects: hidden.objects,
      flags: [],
      images: [],
      ...content,
    },
    secrets: hidden.secrets,
    record: { capturedAt: now(), reason: 'capture', labels: [], checks: [], verdict: 'unknown', ...record },
  };
}

export function configMap(name: string, data: Record<string, string>, namespace = 'production'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}

/** A Secret with its values in base64, as the API server sends it. */
export function secret(name: string, values: Record<string, string>, namespace = 'production'): KubeObject {
  const data = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
  return { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, namespace }, data };
}
