import { BackstayError, didYouMean } from '../errors/index.ts';
import {
  capturedForm,
  type Digest,
  displayName,
  type ForeignField,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type PlanOptions,
  refOf,
  roleOf,
  type Scope,
  type Snapshot,
  type Stack,
} from '../model/index.ts';
import {
  type Comparison,
  compare,
  definedKinds,
  digestOfLive,
  effectiveForeign,
  type ImageProbe,
  imageStates,
  inServedVersion,
  judgeImages,
  type LiveObject,
  newImages,
  type Refusal,
  sameForm,
  type ScopeView,
  shapeFlags,
  shapeTarget,
  unknownWorkloads,
  viewScope,
} from '../plan/index.ts';
import type { Clock, Cluster, SecretHasher, SnapshotStore } from '../ports/index.ts';
import { type Inventory } from './inventory.ts';
import { nodesOf } from './inventory-pods.ts';
import { type Defaulted, defaulted } from './plan-defaulting.ts';

export interface CompareDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly store: SnapshotStore;
  readonly hasher: SecretHasher;
  readonly clock: Clock;
  /** @default what nodes and pods of the stack say */
  readonly imageProbe?: ImageProbe;
}

export interface CompareRequest {
  readonly inventory: Inventory;
  readonly target: Snapshot;
  readonly scope: Scope;
  readonly options: PlanOptions;
  readonly signal?: AbortSignal;
}

export interface Compared extends Comparison {
  /** Digest of the live objects that the comparison is about. */
  readonly live: Digest;
  /** Stays as it is on both sides. */
  readonly foreign: readonly ForeignField[];
}

/**
 * Live against a snapshot, in one scope, after the same API server's defaulting. Nothing is changed; what would keep a
 * rollback from being carried out is in `refusals`. Throws the cluster's errors, SECRETS_UNREADABLE when a Secret differs
 * and cannot be decrypted, and USAGE for a scope that names no workload of the stack.
 */
export async function compareWithLive(request: CompareRequest, deps: CompareDeps): Promise<Compared> {
  const { inventory, target, scope, options } = request;
  const { stack } = deps;
  const role = (object: KubeObject) => roleOf(object, stack);
  const foreign = effectiveForeign(stack.foreign, [...inventory.live.values(), ...target.content.objects]);
  const served = await inServedVersions(target.content.objects, deps.cluster);
  const live = await liveObjects(inventory, served.objects, foreign, deps);
  const forms = new Map([...live].map(([key, { form }]) => [key, form]));
  const wholeTarget = new Map(served.objects.map((object) => [keyOf(object), capturedForm(object, foreign)]));
  const sides = { scope, role, live: [...forms.values()], target: [...wholeTarget.values()] };
  requireWorkloads(sides);
  const view = viewScope(sides);
  const shaped =
    scope.kind === 'flags'
      ? shapeFlags(stack.flags, stack.namespaces[0] ?? 'default', forms, wholeTarget)
      : shapeTarget(
          served.objects.filter((object) => view.has(keyOf(object))),
          forms,
          {
            foreign,
            stackForeign: stack.foreign,
            exactReplicas: options.exactReplicas,
          },
        );
  const wanted = await defaultDiffering(shaped.objects, live, foreign, request, deps);
  const comparison = compare({
    scope: view,
    role,
    live,
    wanted: wanted.objects,
    target: wholeTarget,
    immutable: new Map([...forcedReplacements(options, view, forms), ...wanted.immutable]),
    foreign,
    options,
  });
  const images = newImages(comparison.changes, comparison.desired);
  const judged = judgeImages(images, await probe([...images.keys()], inventory, deps), {
    allowUnknown: options.allowUnknownImages || options.emergency,
  });
  return {
    changes: comparison.changes,
    desired: comparison.desired,
    warnings: [...served.warnings, ...shaped.warnings, ...comparison.warnings, ...judged.warnings],
    refusals: [
      // What is out of scope may stay unserved.
      ...served.refusals.filter(({ details }) => view.has(details['object'] as ObjectKey)),
      ...shaped.refusals,
      ...wanted.refusals,
      ...comparison.refusals,
      ...judged.refusals,
    ],
    live: digestOfLive({ scope: view, live }, comparison.changes),
    foreign,
  };
}

/** The target's objects in versions that are served. What cannot be is left as it is, and refused. */
async function inServedVersions(
  objects: readonly KubeObject[],
  cluster: Cluster,
): Promise<{
  readonly objects: readonly KubeObject[];
  readonly warnings: readonly string[];
  readonly refusals: readonly Refusal[];
}> {
  const defined = definedKinds(objects);
  const served = new Set<string>();
  for (const kind of await cluster.kinds())
    served.add(`${kind.group === '' ? '' : `${kind.group}/`}${kind.version} ${kind.kind}`);
  // Discovery names one version a kind; others may be served beside it.
  const asked = new Set(objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`));
  for (const text of asked) {
    const [apiVersion = '', kind = ''] = text.split(' ');
    if (!served.has(text) && (await cluster.kindOf(apiVersion, kind)) !== undefined) served.add(text);
  }
  const warnings: string[] = [];
  const refusals: Refusal[] = [];
  const result = objects.map((object) => {
    const { group, ...parts } = { group: object.apiVersion.split('/')[0] ?? '', kind: object.kind };
    if (defined.has(`${parts.kind}.${group}`)) return object;
    const answer = inServedVersion(object, (apiVersion, kind) => served.has(`${apiVersion} ${kind}`));
    if (answer.kind === 'refused') {
      const key = keyOf(object);
      refusals.push({
        code: 'KIND_UNKNOWN',
        message: `${displayName(key)} cannot be brought back: ${answer.reason}.`,
        details: { object: key },
      });
      return object;
    }
    if (answer.kind === 'converted') {
      warnings.push(
        `${displayName(keyOf(object))} is written as ${answer.object.apiVersion}, because ${answer.from} is no longer served`,
      );
    }
    return answer.object;
  });
  return { objects: result, warnings, refusals };
}

/**
 * The live objects with hashed Secret values, read in the version that the target uses where the server's preferred one is
 * another: fields have other places there.
 */
async function liveObjects(
  inventory: Inventory,
  target: readonly KubeObject[],
  foreign: readonly ForeignField[],
  { cluster, hasher }: Pick<CompareDeps, 'cluster' | 'hasher'>,
): Promise<ReadonlyMap<ObjectKey, LiveObject>> {
  const versions = new Map(target.map((object) => [keyOf(object), object.apiVersion]));
  const objects = await Promise.all(
    [...inventory.live].map(async ([key, object]) => {
      const apiVersion = versions.get(key) ?? object.apiVersion;
      if (apiVersion === object.apiVersion) return object;
      const served = await cluster.kindOf(apiVersion, object.kind);
      return served === undefined ? object : ((await cluster.get({ ...refOf(object), apiVersion })) ?? object);
    }),
  );
  const hidden = hasher.hide(objects).objects;
  return new Map(hidden.map((raw) => [keyOf(raw), { raw, form: capturedForm(raw, foreign) }]));
}

/** Only what differs is asked about: an equal object needs no dry run, and a stack of a thousand has few that differ. */
async function defaultDiffering(
  shaped: readonly KubeObject[],
  live: ReadonlyMap<ObjectKey, LiveObject>,
  foreign: readonly ForeignField[],
  { inventory, target, signal }: CompareRequest,
  { stack, cluster, store, hasher }: CompareDeps,
): Promise<Defaulted> {
  const differs = (object: KubeObject): boolean => {
    const there = live.get(keyOf(object));
    return there === undefined || !sameForm(there.form, object);
  };
  const differing = shaped.filter(differs);
  const isServed = await Promise.all(
    differing.map(async (object) => (await cluster.kindOf(object.apiVersion, object.kind)) !== undefined),
  );
  const askable = differing.filter((_, index) => isServed[index]);
  if (askable.length === 0) return { objects: shaped, immutable: new Map(), refusals: [] };
  const secrets = askable.some(({ kind }) => kind === 'Secret') ? await store.secrets(stack.name, target) : new Map();
  const answer = await defaulted(cluster, {
    objects: hasher.reveal(askable, secrets),
    live: inventory.live,
    foreign,
    namespaces: new Set(shaped.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name)),
    definedKinds: definedKinds(shaped),
    ...(signal === undefined ? {} : { signal }),
  });
  const byKey = new Map(hasher.hide(answer.objects).objects.map((object) => [keyOf(object), object]));
  return { ...answer, objects: shaped.map((object) => byKey.get(keyOf(object)) ?? object) };
}

async function probe(
  images: readonly string[],
  inventory: Inventory,
  deps: CompareDeps,
): Promise<Awaited<ReturnType<ImageProbe>>> {
  if (images.length === 0) return new Map();
  if (deps.imageProbe !== undefined) return await deps.imageProbe(images);
  return imageStates(images, (await nodesOf(deps.cluster)) ?? [], [...inventory.pods.values()].flat());
}

/** What --force-replace names, each with the reason that the plan shows. @throws USAGE for what is not live in scope */
function forcedReplacements(
  { force }: PlanOptions,
  scope: ScopeView,
  live: ReadonlyMap<ObjectKey, KubeObject>,
): ReadonlyMap<ObjectKey, string> {
  const inScope = [...live.keys()].filter((key) => scope.has(key));
  const named = (force?.replace ?? []).flatMap((said) => {
    const keys = inScope.filter((key) => displayName(key) === said.toLowerCase());
    if (keys.length > 0) return keys;
    const near = didYouMean(said, inScope.map(displayName));
    throw new BackstayError(
      'USAGE',
      `--force-replace ${said}: no live object in scope is called so.${near === undefined ? '' : ` Did you mean ${near}?`}`,
      { next: 'Name it as KIND/NAME, such as deployment/gateway.', details: { named: said } },
    );
  });
  return new Map(named.map((key) => [key, '--force-replace']));
}

function requireWorkloads(sides: Parameters<typeof unknownWorkloads>[0]): void {
  const [unknown] = unknownWorkloads(sides);
  if (unknown === undefined) return;
  const names = [...sides.live, ...sides.target].filter(({ kind }) =>
    /^(Deployment|StatefulSet|DaemonSet|Rollout)$/.test(kind),
  );
  const near = didYouMean(
    unknown,
    names.map(({ metadata }) => metadata.name),
  );
  throw new BackstayError(
    'USAGE',
    `No workload of the stack is called ${unknown}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    {
      next: 'Give --scope the names of Deployments, StatefulSets or DaemonSets, or one of the named scopes.',
      details: { scope: unknown, workloads: [...new Set(names.map(({ metadata }) => metadata.name))].sort() },
    },
  );
}
