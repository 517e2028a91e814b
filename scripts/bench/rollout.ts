import { ensureTools, progressPrinter } from '../../src/toolchain/index.ts';
import type { Bench, BenchContext } from './bench.ts';
import { engineUp } from './engine.ts';
import { type Breakdown, type Figure, ratio, sampled } from './figure.ts';
import { fakeDeployments, namespaceOf } from './objects.ts';
import { run } from './process-times.ts';
import { type RunTimes, runTimes } from './run-times.ts';

/** Deployments, and how often each way is taken. */
const SIZES = [
  { count: 5, rounds: 3 },
  { count: 50, rounds: 3 },
] as const;

/** An image that the sandbox's node lists, or a plan would refuse it; kwok runs nothing of it. */
const IMAGE = 'backstay/echo';

/** Taking deployments back: Backstay's whole run, kubectl one by one, and the engine with nothing to do. */
export const rollout: Bench = {
  name: 'rollout',
  what: 'rolling back deployments on fake nodes, beside kubectl',
  async measure(context) {
    await context.home.sandbox();
    const progress = progressPrinter(process.stderr);
    const { kubectl } = await ensureTools(['kubectl'], { env: context.home.env, onProgress: progress });
    progress.done();
    const figures: Figure[] = [];
    const breakdowns: Breakdown[] = [];
    for (const { count, rounds } of SIZES) {
      const found = await measureSize(count, rounds, kubectl.path, context);
      figures.push(...found.figures);
      breakdowns.push(found.breakdown);
    }
    return { figures, breakdowns };
  },
};

interface Found {
  readonly figures: readonly Figure[];
  readonly breakdown: Breakdown;
}

async function measureSize(count: number, rounds: number, kubectl: string, context: BenchContext): Promise<Found> {
  const { home, say } = context;
  const stack = `bench-rollout-${count}`;
  await home.stack(stack);
  say(`${count} deployments in two versions`);
  for (const version of ['v1', 'v2']) {
    const objects = [namespaceOf(stack), ...fakeDeployments(stack, count, `${IMAGE}:${version}`)];
    await home.cli(['import-manifests', stack, home.manifests(`${stack}-${version}`, objects), '--as', version]);
    await home.cli(['apply', stack, '--to', version, '--yes']);
  }
  let at = 'v2';
  const [ours, theirs, idle]: [number[], number[], number[]] = [[], [], []];
  const runs: RunTimes[] = [];
  const other = (): string => (at === 'v1' ? 'v2' : 'v1');
  const byBackstay = async (): Promise<void> => {
    const done = await home.cli(['rollback', stack, '--to', other(), '--yes', '--output', 'json']);
    at = other();
    ours.push(done.ms);
    runs.push(await runTimes(done, home));
  };
  const byKubectl = async (): Promise<void> => {
    theirs.push(await undoOneByOne(kubectl, stack, count, home.env));
    at = other();
  };
  for (let round = 0; round < rounds; round++) {
    say(`${count} deployments, round ${round + 1} of ${rounds}`);
    const order = round % 2 === 0 ? [byBackstay, byKubectl] : [byKubectl, byBackstay];
    for (const take of order) await take();
    idle.push((await engineUp(home, stack, at)).process.ms);
  }
  const name = `rollout.${count}`;
  const backstay = sampled(
    { name: `${name}.backstay`, what: `backstay rollback of ${count} deployments`, unit: 'ms' },
    ours,
  );
  const byHand = sampled(
    { name: `${name}.kubectl`, what: 'kubectl rollout undo and status, one by one', unit: 'ms' },
    theirs,
  );
  const nothing = sampled(
    { name: `${name}.idle`, what: 'the engine on the same objects, nothing to do', unit: 'ms' },
    idle,
  );
  const middle = runs.toSorted((a, b) => a.totalMs - b.totalMs)[runs.length >> 1];
  return {
    figures: [
      backstay,
      byHand,
      nothing,
      ratio(`${name}.to-kubectl`, 'backstay beside kubectl', backstay, byHand),
      ratio(`${name}.to-idle`, 'backstay beside nothing to do', backstay, nothing),
    ],
    breakdown: { title: `Rollback of ${count} deployments, the run in the middle`, rows: middle?.rows ?? [] },
  };
}

async function undoOneByOne(
  kubectl: string,
  namespace: string,
  count: number,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const began = performance.now();
  for (let index = 0; index < count; index++) {
    const deployment = `deployment/worker-${index}`;
    await run(kubectl, ['-n', namespace, 'rollout', 'undo', deployment], env);
    await run(kubectl, ['-n', namespace, 'rollout', 'status', deployment], env);
  }
  return performance.now() - began;
}
