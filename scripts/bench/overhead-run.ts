/**
 * Carries one rollback out in this process and prints how long it took without the engine's `up`, as JSON: with the
 * journal, the lease and the evidence as every run has them, or (`bare`) without any of the three.
 *
 *   node scripts/bench/overhead-run.ts STACK TARGET with|bare
 */
import { NO_OPTIONS, planRollback } from '../../src/actions/plan.ts';
import { newRunId } from '../../src/actions/rollback.ts';
import { runDepsOf as actionDepsOf } from '../../src/actions/run-deps.ts';
import { compose, planDepsOf, runDepsOf } from '../../src/compose.ts';
import type { JournalEntry } from '../../src/journal/index.ts';
import type { Plan } from '../../src/model/index.ts';
import { hashOfPlan } from '../../src/plan/index.ts';
import type { JournalStore, Lock } from '../../src/ports/index.ts';
import { runPlan } from '../../src/rollback/index.ts';

const [stack = '', target = '', mode = ''] = process.argv.slice(2);
const composition = await compose({ stack, env: process.env, cwd: process.cwd() });
try {
  const planned = await planRollback(
    { target, scope: { kind: 'full' }, options: NO_OPTIONS },
    await planDepsOf(composition),
  );
  if (planned.kind !== 'planned') throw new TypeError(`${stack} is at ${target} already`);
  const real = actionDepsOf(await runDepsOf(composition, { report: () => undefined }));
  // Asked for once before the clock starts, as a run finds them after its plan was made.
  await Promise.all([composition.journal(), composition.lock(), composition.engine()]);
  const bare = mode === 'bare';
  const began = performance.now();
  const { outcome, reason, state } = await runPlan({
    plan: bare ? withoutEvidence(planned.plan) : planned.plan,
    run: newRunId(Date.now()),
    deps: bare ? { ...real, journal: forgetful(), lock: noLock() } : real,
  });
  const ms = performance.now() - began;
  if (outcome !== 'succeeded') throw new TypeError(`the run ended ${outcome}: ${reason ?? ''}`);
  const timings = [...state.steps.values()].map(
    ({ result }) => (result as { timings?: { totalMs?: number } })?.timings,
  );
  const engineMs = timings.reduce((sum, found) => sum + (found?.totalMs ?? 0), 0);
  console.log(JSON.stringify({ ms, ownMs: ms - engineMs, entries: state.sequence }));
} finally {
  await composition.close();
}
process.exit();

function withoutEvidence({ hash: _hash, ...plan }: Plan): Plan {
  const rest = { ...plan, steps: plan.steps.filter(({ action }) => action.kind !== 'evidence') };
  return { ...rest, hash: hashOfPlan(rest) };
}

function forgetful(): JournalStore {
  const entries: JournalEntry[] = [];
  return {
    append: async (entry: JournalEntry) => void entries.push(entry),
    read: async () => entries,
    follow: async function* () {
      yield* entries;
    },
    runs: async () => [],
    close: async () => undefined,
  };
}

function noLock(): Lock {
  return {
    look: async () => ({}),
    acquire: async () => ({
      token: 1,
      lost: new AbortController().signal,
      assertHeld: async () => undefined,
      assertFresh: async () => undefined,
      enter: () => undefined,
      release: async () => undefined,
    }),
  };
}
