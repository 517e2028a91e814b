import { dirname } from 'node:path';
import { runChecks } from '../checks/index.ts';
import { BackstayError } from '../errors/index.ts';
import {
  type CheckResult,
  contentId,
  type Digest,
  type Hold,
  holdOn,
  isKnownGood,
  type KubeObject,
  labelsInForce,
  overall,
  type SchemaRevision,
  type Sighting,
  type SnapshotContent,
  type Stack,
} from '../model/index.ts';
import type { Clock, Cluster, HttpClient, Migrations, SecretHasher, SnapshotStore } from '../ports/index.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { schemasOf } from './schemas.ts';
import { parted, trustedAmong } from './snapshots.ts';

export interface CaptureOptions {
  /** @default 'capture' */
  readonly reason?: 'capture' | 'before-run' | 'after-run';
  readonly labels?: readonly string[];
  readonly note?: string;
  /** `ask`: the checks for `capture` are asked. A list: they were measured already, by a run. @default 'ask' */
  readonly checks?: 'ask' | 'none' | readonly CheckResult[];
  readonly onCheck?: (result: CheckResult) => void;
  readonly signal?: AbortSignal;
}

export interface CaptureDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly http: HttpClient;
  readonly clock: Clock;
  /** Of the data stores that say how they are migrated. Absent: none does. */
  readonly migrations?: () => Promise<readonly Migrations[]>;
}

export type CaptureResult =
  | {
      readonly kind: 'captured';
      readonly id: Digest;
      readonly sighting: Sighting;
      readonly content: SnapshotContent;
      /** False when this very content was stored before: nothing has changed since. */
      readonly isNew: boolean;
      readonly knownGood: boolean;
      readonly checks: readonly CheckResult[];
      /** What a person should know; absent: nothing. */
      readonly warnings?: readonly string[];
      /** What is in the namespaces and not part of the snapshot, with the reason. */
      readonly left: Inventory['left'];
      /** The version that was seen went wrong in a run, and is no known good until a person releases it. */
      readonly held?: { readonly run: string; readonly reason: string; readonly snapshot: Digest };
      /** Labels that led to another snapshot until now. */
      readonly moved: readonly { readonly label: string; readonly from: Digest }[];
    }
  /** There is nothing to capture: more likely a wrong namespace or context than a stack. Nothing was stored. */
  | { readonly kind: 'empty'; readonly namespaces: readonly string[]; readonly context?: string };

/**
 * Reads the live stack, hides its secrets, asks its checks and stores the snapshot.
 * Errors: CLUSTER_*, CLUSTER_MISMATCH (the stack names another cluster), KEY_MISSING, USAGE (a label that cannot be one).
 */
export async function capture(options: CaptureOptions, deps: CaptureDeps): Promise<CaptureResult> {
  const { stack, store, clock } = deps;
  const { reason = 'capture', labels = [] } = options;
  const inventory = await takeInventory(
    deps.cluster,
    stack,
    options.signal === undefined ? {} : { signal: options.signal },
  );
  requireCluster(inventory, stack);
  // A run's own captures may be of nothing: the way back from an empty namespace is an empty namespace.
  if (inventory.objects.length === 0 && reason === 'capture') {
    const { context } = inventory.identity;
    return { kind: 'empty', namespaces: stack.namespaces, ...(context === undefined ? {} : { context }) };
  }
  const seen = await schemasOf(await migrationsOf(deps));
  const { content, secrets } = contentOf({ ...inventory, schemas: seen.schemas }, stack, deps.hasher);
  const checks = await measure(options, inventory, deps);
  const known = parted(await store.list(stack.name)).sightings;
  const imageDigests = Object.fromEntries(
    inventory.images.flatMap(({ image, digest }) => (digest === undefined ? [] : [[image, digest]])),
  );
  const hold = holdOn({ content, digests: imageDigests }, contentId(content), trustedAmong(known));
  const sighting = await store.put(stack.name, {
    content,
    secrets,
    record: {
      capturedAt: new Date(clock.now()).toISOString(),
      reason,
      labels,
      checks,
      verdict: overall(checks),
      serverVersion: inventory.identity.version,
      imageDigests,
      ...(hold === undefined ? {} : { held: heldBy(hold) }),
      ...(options.note === undefined ? {} : { note: options.note }),
    },
  });
  const { id } = sighting.record;
  const led = labelsInForce(known);
  return {
    kind: 'captured',
    id,
    sighting,
    content,
    isNew: !known.some(({ record }) => record.id === id),
    knownGood: isKnownGood(sighting.record),
    ...(hold === undefined ? {} : { held: { run: hold.run, reason: hold.reason, snapshot: hold.id } }),
    checks,
    left: inventory.left,
    ...(seen.problems.length === 0
      ? {}
      : { warnings: seen.problems.map(({ store, why }) => `the schema of ${store} is not recorded: ${why}`) }),
    moved: labels.flatMap((label) => {
      const from = led.get(label);
      return from === undefined || from === id ? [] : [{ label, from }];
    }),
  };
}

/** The content that an inventory makes, with the Secret values beside it. */
export function contentOf(
  inventory: Pick<Inventory, 'objects' | 'flags' | 'images'> & {
    readonly identity?: Inventory['identity'];
    readonly schemas?: readonly SchemaRevision[];
  },
  stack: Stack,
  hasher: SecretHasher,
): { readonly content: SnapshotContent; readonly secrets: ReturnType<SecretHasher['hide']>['secrets'] } {
  const { objects, secrets } = hasher.hide(inventory.objects);
  const { identity, schemas = [] } = inventory;
  const content: SnapshotContent = {
    apiVersion: 'backstay.dev/v1',
    kind: 'SnapshotContent',
    stack: stack.name,
    ...(identity === undefined ? {} : { clusterUid: identity.uid }),
    namespaces: stack.namespaces,
    objects,
    flags: inventory.flags,
    images: inventory.images.map(({ workload, container, image }) => ({ workload, container, image })),
    ...(schemas.length === 0 ? {} : { schemas }),
  };
  return { content, secrets };
}

/** Not even opened where no store says how it is migrated. */
async function migrationsOf({ stack, migrations }: CaptureDeps): Promise<readonly Migrations[]> {
  return stack.stores.some((store) => 'migrations' in store) ? ((await migrations?.()) ?? []) : [];
}

function heldBy({ id: _id, ...hold }: Hold & { readonly id: Digest }): Hold {
  return hold;
}

function requireCluster({ identity }: Inventory, { cluster, name }: Stack): void {
  if (cluster.uid === undefined || cluster.uid === identity.uid) return;
  throw new BackstayError(
    'CLUSTER_MISMATCH',
    `The stack ${name} lives in the cluster ${cluster.uid}; ${identity.server} is the cluster ${identity.uid}.`,
    {
      next: 'Choose the right --context, or correct backstay:cluster.uid.',
      details: { expected: cluster.uid, found: identity.uid },
    },
  );
}

async function measure(
  options: CaptureOptions,
  inventory: Inventory,
  deps: CaptureDeps,
): Promise<readonly CheckResult[]> {
  const { checks = 'ask', onCheck, signal } = options;
  if (checks === 'none') return [];
  if (checks !== 'ask') return checks;
  const { stack, cluster, http, clock } = deps;
  const live: readonly KubeObject[] = [...inventory.live.values()];
  return await runChecks(stack.checks, {
    cluster,
    http,
    clock,
    stack,
    when: 'capture',
    flags: inventory.flags,
    inventory: live,
    baseDir: dirname(stack.file),
    ...(signal === undefined ? {} : { signal }),
    ...(onCheck === undefined ? {} : { onResult: onCheck }),
  });
}
