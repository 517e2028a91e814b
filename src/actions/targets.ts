import { BackstayError } from '../errors/index.ts';
import {
  canonicalJson,
  capturedForm,
  contentId,
  type Digest,
  type KubeObject,
  keyOf,
  type Snapshot,
  type Stack,
} from '../model/index.ts';
import type { Clock, Cluster, SecretHasher, SnapshotStore } from '../ports/index.ts';
import { contentOf } from './capture.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { templateOf } from './inventory-pods.ts';
import { listSnapshots, type SnapshotRow } from './snapshots.ts';

export interface TargetDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
}

/** One thing that `--to` can be given. */
export interface TargetChoice {
  readonly kind: 'snapshot' | 'revision';
  /** What to type. */
  readonly target: string;
  /** ISO 8601: when it was captured, or its ReplicaSet made. */
  readonly at: string;
  readonly ageMs: number;
  /** Images of the application, as `container=image` where a workload has several. */
  readonly images: readonly string[];
  readonly knownGood: boolean;
  /** It is what is live now. */
  readonly current: boolean;
  /** Of snapshots. */
  readonly snapshot?: SnapshotRow;
  /** Of revisions: from 1. */
  readonly revision?: number;
}

export interface TargetList {
  /** Snapshots newest first, then each Deployment's revisions, newest first. */
  readonly choices: readonly TargetChoice[];
  readonly damaged: readonly string[];
}

const REVISION = /^(?:deployment|deployments|deploy)(?:\.apps)?\/([a-z0-9.-]+)@(previous|[1-9][0-9]*)$/;
const REVISION_OF = 'deployment.kubernetes.io/revision';
const MOST_SNAPSHOTS = 20;

/**
 * The snapshot that a target means. `deployment/NAME@REVISION` (or `@previous`) becomes one: what is live, with that
 * Deployment's pods as the revision has them. Errors: TARGET_MISSING with the choices in its details, TARGET_UNKNOWN,
 * TARGET_AMBIGUOUS, SNAPSHOT_*.
 */
export async function resolveTarget(
  said: string | undefined,
  options: { readonly inventory: Inventory; readonly allowUnsigned: boolean },
  deps: TargetDeps,
): Promise<Snapshot> {
  const { inventory, allowUnsigned } = options;
  const { stack, store } = deps;
  if (said === undefined || said === '') {
    const { choices } = await choicesOf(inventory, deps);
    throw new BackstayError(
      'TARGET_MISSING',
      `No target was given for ${stack.name}; there ${choices.length === 1 ? 'is 1' : `are ${choices.length}`} to choose from.`,
      {
        details: { choices },
      },
    );
  }
  const [, name, revision] = REVISION.exec(said) ?? [];
  if (name !== undefined && revision !== undefined) return await revisionTarget(name, revision, inventory, deps);
  if (/^[A-Za-z.]+\//.test(said)) {
    throw new BackstayError(
      'TARGET_UNKNOWN',
      `${said} is no target: of a workload only deployment/NAME@REVISION can be one.`,
      {
        next: `Use deployment/NAME@previous, or run \`backstay list ${stack.name}\`.`,
        details: { target: said },
      },
    );
  }
  return await store.resolve(stack.name, said, { allowUnsigned, live: liveId(inventory, deps) });
}

/** Everything that can be a target of the stack, as it is now. */
export async function listTargets(deps: TargetDeps): Promise<TargetList> {
  return await choicesOf(await takeInventory(deps.cluster, deps.stack), deps);
}

async function choicesOf(inventory: Inventory, deps: TargetDeps): Promise<TargetList> {
  const { stack, store, clock } = deps;
  const { rows, damaged } = await listSnapshots(stack.name, { store });
  const live = liveId(inventory, deps);
  const byId = new Map<Digest, SnapshotRow>();
  for (const row of rows.filter(({ removed }) => removed === undefined)) {
    const newer = byId.get(row.id);
    // A content that passed once is known good however often it was seen without being asked.
    byId.set(row.id, newer === undefined ? row : { ...newer, knownGood: newer.knownGood || row.knownGood });
  }
  const newest = [...byId.values()].slice(0, MOST_SNAPSHOTS);
  const snapshots = await Promise.all(
    newest.map(async (row) => ({ row, snapshot: await store.get(stack.name, row.id, { allowUnsigned: true }) })),
  );
  const choices = snapshots.map(
    ({ row, snapshot }): TargetChoice => ({
      kind: 'snapshot',
      target: row.labels[0] ?? row.shortId,
      at: row.capturedAt,
      ageMs: clock.now() - Date.parse(row.capturedAt),
      images: [...new Set(snapshot.content.images.map(({ image }) => image))].sort(),
      knownGood: row.knownGood,
      current: row.id === live,
      snapshot: row,
    }),
  );
  const good = snapshots.filter(({ row }) => row.knownGood).map(({ snapshot }) => snapshot);
  return {
    choices: [...choices, ...revisionChoices(inventory, good, clock.now())],
    damaged: damaged.map(({ path }) => path),
  };
}

/** A revision is known good when a known good snapshot had that Deployment with this very template. */
function revisionChoices(inventory: Inventory, good: readonly Snapshot[], now: number): readonly TargetChoice[] {
  const goodTemplates = new Set(
    good.flatMap(({ content }) =>
      content.objects.filter(isDeployment).map((object) => `${keyOf(object)} ${templateText(object)}`),
    ),
  );
  return deploymentsOf(inventory).flatMap((deployment) =>
    revisionsOf(deployment, inventory).map(({ revision, replicaSet, current }): TargetChoice => {
      const at = replicaSet.metadata.creationTimestamp ?? new Date(now).toISOString();
      const then = withTemplateOf(capturedForm(deployment), replicaSet);
      return {
        kind: 'revision',
        target: `deployment/${deployment.metadata.name}@${revision}`,
        at,
        ageMs: now - Date.parse(at),
        images: (templateOf(then)?.containers ?? []).flatMap(({ image }) => image ?? []),
        knownGood: goodTemplates.has(`${keyOf(then)} ${templateText(then)}`),
        current,
        revision,
      };
    }),
  );
}

async function revisionTarget(name: string, said: string, inventory: Inventory, deps: TargetDeps): Promise<Snapshot> {
  const { stack, store, hasher, clock } = deps;
  const named = deploymentsOf(inventory).filter(({ metadata }) => metadata.name === name);
  const [deployment, ...more] = named;
  if (deployment === undefined) {
    throw new BackstayError('TARGET_UNKNOWN', `${stack.name} has no Deployment ${name}.`, {
      details: { deployments: deploymentsOf(inventory).map(({ metadata }) => metadata.name) },
    });
  }
  if (more.length > 0) {
    throw new BackstayError(
      'TARGET_AMBIGUOUS',
      `${named.map(({ metadata }) => `${metadata.namespace ?? ''}/${name}`).join(' and ')} are both called deployment/${name}.`,
      {
        next: 'Go back to a snapshot instead, with --scope naming the workload.',
        details: { deployment: name },
      },
    );
  }
  const revisions = revisionsOf(deployment, inventory);
  const found =
    said === 'previous'
      ? revisions.find(({ current }) => !current)
      : revisions.find(({ revision }) => revision === Number(said));
  if (found === undefined) {
    const kept = revisions.map(({ revision }) => revision).join(', ');
    throw new BackstayError(
      'TARGET_UNKNOWN',
      `deployment/${name} has no revision ${said}; there ${revisions.length === 1 ? 'is' : 'are'} ${kept || 'none'}.`,
      {
        next: 'Choose one of those, or a snapshot: a Deployment keeps only the revisions of its revisionHistoryLimit.',
        details: { deployment: name, revisions: revisions.map(({ revision }) => revision) },
      },
    );
  }
  const key = keyOf(deployment);
  const objects = inventory.objects.map((object) =>
    keyOf(object) === key ? withTemplateOf(object, found.replicaSet) : object,
  );
  const images = inventory.images.filter(({ workload }) => workload !== key);
  const then = objects.find((object) => keyOf(object) === key);
  const theirs = then === undefined ? [] : (templateOf(then)?.containers ?? []);
  const { content, secrets } = contentOf(
    {
      identity: inventory.identity,
      objects,
      flags: inventory.flags,
      images: [
        ...images,
        ...theirs.flatMap(({ name: container, image }) =>
          image === undefined ? [] : [{ workload: key, container, image }],
        ),
      ],
    },
    stack,
    hasher,
  );
  const { record } = await store.put(stack.name, {
    content,
    secrets,
    record: {
      capturedAt: new Date(clock.now()).toISOString(),
      reason: 'revision',
      labels: [],
      note: `deployment/${name} revision ${found.revision}, everything else as live`,
      checks: [],
      verdict: 'unknown',
      serverVersion: inventory.identity.version,
    },
  });
  return await store.get(stack.name, record.id);
}

interface Revision {
  readonly revision: number;
  readonly replicaSet: KubeObject;
  readonly current: boolean;
}

/** Newest first. */
function revisionsOf(deployment: KubeObject, { replicaSets }: Inventory): readonly Revision[] {
  const owned = replicaSets.filter(({ metadata }) =>
    metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid),
  );
  const numbered = owned.flatMap((replicaSet) => {
    const revision = Number(replicaSet.metadata.annotations?.[REVISION_OF]);
    return Number.isInteger(revision) ? [{ revision, replicaSet }] : [];
  });
  const sorted = numbered.sort((a, b) => b.revision - a.revision);
  return sorted.map((one, index) => ({ ...one, current: index === 0 }));
}

/** The Deployment with the ReplicaSet's pods, without the label by which the controller tells ReplicaSets apart. */
function withTemplateOf(deployment: KubeObject, replicaSet: KubeObject): KubeObject {
  const spec = replicaSet['spec'] as { readonly template: KubeObject };
  const { 'pod-template-hash': _, ...labels } = spec.template.metadata.labels ?? {};
  const template = { ...spec.template, metadata: { ...spec.template.metadata, labels } };
  return capturedForm({ ...deployment, spec: { ...(deployment['spec'] as object), template } });
}

function templateText(deployment: KubeObject): string {
  return canonicalJson((deployment['spec'] as { readonly template: unknown }).template);
}

function deploymentsOf({ live }: Inventory): readonly KubeObject[] {
  return [...live.values()].filter(isDeployment);
}

function isDeployment(object: KubeObject): boolean {
  return object.kind === 'Deployment' && object.apiVersion.startsWith('apps/');
}

function liveId(inventory: Inventory, { stack, hasher }: Pick<TargetDeps, 'stack' | 'hasher'>): Digest {
  return contentId(contentOf(inventory, stack, hasher).content);
}
