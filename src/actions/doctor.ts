import { inOrder } from '../evidence/index.ts';
import { diagnose } from '../health/diagnose/index.ts';
import type { Diagnosis, Observations, Reached, Seen } from '../health/diagnose/types.ts';
import { capturedForm, type KubeObject, knownGood, type Sighting, shortId, type Stack } from '../model/index.ts';
import { effectiveForeign } from '../plan/index.ts';
import type {
  ApiKind,
  Clock,
  Cluster,
  JournalStore,
  Lock,
  SecretHasher,
  SnapshotStore,
  StateLock,
} from '../ports/index.ts';
import { diffContents } from './diff.ts';
import { databasesOf, type Inside, insideOf, namesOf } from './doctor-inside.ts';
import { history } from './history.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { listSnapshots, trustedAmong } from './snapshots.ts';

export type { Diagnosis, Finding, Grade } from '../health/diagnose/types.ts';

export interface DoctorDeps {
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** Each is asked for by itself: one that cannot be had is a finding, not the end of the diagnosis. */
  readonly hasher: () => Promise<SecretHasher>;
  readonly journal: () => Promise<JournalStore>;
  readonly lock: () => Promise<Lock>;
  readonly stateLocks: () => Promise<readonly StateLock[]>;
}

/** For everything together: what does not answer by then is unknown. */
const LIMIT_MS = 10_000;
/** Runs that are looked at; an unfinished one that is older is known to the Lease. */
const RUNS = 50;

/**
 * One look at a stack: everything that is asked when something is wrong, at once. Changes nothing.
 * @throws CLUSTER_* when the stack's objects cannot be read: then there is nothing to diagnose
 */
export async function doctor(deps: DoctorDeps): Promise<Diagnosis> {
  return diagnose(await observe(deps));
}

async function observe(deps: DoctorDeps): Promise<Observations> {
  const { stack, cluster, store, clock } = deps;
  const until = AbortSignal.timeout(LIMIT_MS);
  const see = async <T>(look: () => Promise<T>): Promise<Seen<T>> => await seen(look, until);
  const known = see(async () => await store.list(stack.name));
  const inventory = takeInventory(cluster, stack, { signal: until });
  // It is awaited below; a rejection before that is not unhandled.
  inventory.catch(() => undefined);
  const [events, slices, usage, lease, runs, snapshots, keys, engine] = [
    see(async () =>
      inOrder(
        await listed(
          cluster,
          stack,
          [
            ['events.k8s.io/v1', 'Event'],
            ['v1', 'Event'],
          ],
          until,
        ),
      ),
    ),
    see(async () => await listed(cluster, stack, [['discovery.k8s.io/v1', 'EndpointSlice']], until)),
    see(async () => await listed(cluster, stack, [['metrics.k8s.io/v1beta1', 'PodMetrics']], until)),
    see(async () => await (await deps.lock()).look(stack.name)),
    see(async () => await runsOf(stack, await deps.journal())),
    see(async () => await snapshotsOf(stack, store)),
    see(async () => await keysOf(stack, store)),
    see(deps.stateLocks),
  ];
  const live = await inventory;
  const objects = [...live.live.values()];
  const inside = insideOf(cluster, stack, live, until);
  const databases = databasesOf(stack, objects);
  const [names, reached, drift] = [
    see(
      async () => await asked(inside, namesOf(stack, objects, databases), async (to, host) => await to.resolves(host)),
    ),
    see(async () => await asked(inside, databases, async (to, address) => await to.connects(address))),
    see(async () => await driftOf(live, await known, deps)),
  ];
  return {
    now: clock.now(),
    stack: stack.name,
    objects,
    pods: live.pods,
    replicaSets: live.replicaSets,
    flags: live.flags,
    events: await events,
    slices: await slices,
    usage: await usage,
    names: await names,
    databases: await reached,
    lease: await lease,
    runs: await runs,
    snapshots: await snapshots,
    keys: await keys,
    drift: await drift,
    engine: await engine,
  };
}

/** Waited for only until time is up; what fails says why. */
async function seen<T>(look: () => Promise<T>, until: AbortSignal): Promise<Seen<T>> {
  const over = new Promise<Seen<T>>((resolve) => {
    const late = (): void => resolve({ why: 'no answer in time' });
    if (until.aborted) late();
    else until.addEventListener('abort', late, { once: true });
  });
  const looked = look().then(
    (value): Seen<T> => ({ value }),
    (error: unknown): Seen<T> => ({ why: error instanceof Error ? error.message : String(error) }),
  );
  return await Promise.race([looked, over]);
}

/** All objects of the first kind that is served. Rejects with what is not served. */
async function listed(
  cluster: Cluster,
  stack: Stack,
  kinds: readonly (readonly [apiVersion: string, kind: string])[],
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  let found: ApiKind | undefined;
  for (const [apiVersion, kind] of kinds) found ??= await cluster.kindOf(apiVersion, kind);
  if (found === undefined)
    throw new TypeError(`the cluster does not serve ${kinds.map((kind) => kind.join(' ')).join(' or ')}`);
  const kind = found;
  const lists = stack.namespaces.map(async (namespace) => (await cluster.list(kind, { namespace, signal })).items);
  return (await Promise.all(lists)).flat();
}

async function asked<T>(
  inside: Inside | undefined,
  targets: readonly T[],
  ask: (inside: Inside, target: T) => Promise<Reached>,
): Promise<readonly Reached[]> {
  if (targets.length === 0) return [];
  if (inside === undefined) throw new TypeError('no pod of the stack runs, so nobody can ask from inside');
  return await Promise.all(targets.map(async (target) => await ask(inside, target)));
}

async function runsOf(
  stack: Stack,
  journal: JournalStore,
): Promise<Extract<Observations['runs'], { value: unknown }>['value']> {
  const runs = await history({ stack: stack.name, limit: RUNS }, { journal });
  return runs.map((run) =>
    run.kind === 'damaged'
      ? { run: run.run, outcome: 'damaged', phase: run.why, startedAt: run.startedAt, resumable: true }
      : run,
  );
}

async function snapshotsOf(
  stack: Stack,
  store: SnapshotStore,
): Promise<Extract<Observations['snapshots'], { value: unknown }>['value']> {
  const { rows, damaged } = await listSnapshots(stack.name, { store });
  const good = rows.find((row) => row.knownGood);
  const held = new Map(rows.flatMap((row) => (row.held === undefined ? [] : [[row.shortId, row.held] as const])));
  return {
    count: new Set(rows.map(({ id }) => id)).size,
    ...(good === undefined ? {} : { knownGood: { shortId: good.shortId, capturedAt: good.capturedAt } }),
    held: [...held].map(([short, { run, reason }]) => ({ shortId: short, run, reason })),
    damaged: damaged.map(({ path }) => path),
  };
}

async function keysOf(stack: Stack, store: SnapshotStore): Promise<string> {
  await store.proveKeys(stack.name);
  return 'keys to sign, encrypt, decrypt and compare are at hand';
}

async function driftOf(
  live: Inventory,
  known: Seen<Awaited<ReturnType<SnapshotStore['list']>>>,
  { stack, store, hasher }: DoctorDeps,
): Promise<Extract<Observations['drift'], { value: unknown }>['value']> {
  if ('why' in known) throw new TypeError(known.why);
  const sightings = known.value.filter((entry): entry is Sighting => 'record' in entry);
  const trusted = trustedAmong(sightings);
  const id = knownGood(trusted);
  if (id === undefined) return undefined;
  const good = await store.get(stack.name, id);
  const foreign = effectiveForeign(stack.foreign, [...live.live.values()]);
  const form = (objects: readonly KubeObject[]): readonly KubeObject[] =>
    objects.map((object) => capturedForm(object, foreign));
  const hidden = (await hasher()).hide(live.objects).objects;
  const changes = diffContents(
    { objects: form(good.content.objects) },
    { objects: form(hidden) },
    { kind: 'full' },
    stack,
  );
  return { shortId: shortId(id), changed: changes.map(({ key }) => key) };
}
