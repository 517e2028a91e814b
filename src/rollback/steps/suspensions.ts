import { BackstayError, isBackstayError } from '../../errors/index.ts';
import {
  displayName,
  type KubeObject,
  keyOf,
  mergePatch,
  type ObjectRef,
  resume,
  type StepAction,
  suspend,
  suspendedBy,
  type Suspending,
} from '../../model/index.ts';
import type { RunDeps } from '../deps.ts';
import type { Executor, StepContext, StepResult } from '../executor.ts';

type SuspendAutoscalers = Extract<StepAction, { kind: 'suspend-autoscalers' }>;
type ResumeAutoscalers = Extract<StepAction, { kind: 'resume-autoscalers' }>;
type SuspendSync = Extract<StepAction, { kind: 'suspend-sync' }>;
type ResumeSync = Extract<StepAction, { kind: 'resume-sync' }>;

/** Controllers write statuses at any moment; each round starts from what is live now. */
const ROUNDS = 8;

export const suspendAutoscalers: Executor<SuspendAutoscalers> = async ({ objects }, context) =>
  await suspendEach(objects, context);

export const resumeAutoscalers: Executor<ResumeAutoscalers> = async ({ objects }, context) =>
  await resumed(objects, context);

export const suspendSync: Executor<SuspendSync> = async ({ applications }, context) =>
  await suspendEach(applications, context);

export const resumeSync: Executor<ResumeSync> = async ({ applications }, context) =>
  await resumed(applications, context);

/** What giving back needs, within a step or without one. */
export interface GiveBack {
  readonly run: string;
  readonly deps: Pick<RunDeps, 'cluster'>;
  readonly signal: AbortSignal;
  readonly effect: StepContext['effect'];
}

export interface GivenBack {
  readonly given: readonly ObjectRef[];
  /** What stays as it is, and why. */
  readonly left: readonly { readonly ref: ObjectRef; readonly why: string }[];
}

/**
 * Lets what this run suspended act again, each exactly as it was. What somebody changed meanwhile, and what another run
 * holds too, stays as it is and is named. Doing it again does nothing.
 */
export async function giveBack(refs: readonly ObjectRef[], context: GiveBack): Promise<GivenBack> {
  const given: ObjectRef[] = [];
  const left: { ref: ObjectRef; why: string }[] = [];
  for (const ref of refs) {
    const answer = await written(ref, context, resume);
    if (answer?.kind !== 'write') continue;
    if (answer.left === undefined) given.push(ref);
    else left.push({ ref, why: answer.left });
  }
  return { given, left };
}

async function resumed(refs: readonly ObjectRef[], context: StepContext): Promise<StepResult> {
  const { given, left } = await giveBack(refs, context);
  const said = [
    ...(given.length === 0 ? [] : [`act again: ${names(given)}`]),
    ...left.map(({ ref, why }) => `${names([ref])}: ${why}`),
  ];
  return {
    outcome: left.length === 0 ? 'done' : 'warned',
    message: said.length === 0 ? 'nothing of it was held by this run' : said.join('; '),
    result: { given: given.map(keyOf), left: left.map(({ ref, why }) => ({ object: keyOf(ref), why })) },
  };
}

async function suspendEach(refs: readonly ObjectRef[], context: StepContext): Promise<StepResult> {
  const { held, others } = await holdEach(refs, context);
  const said = [...(held.length === 0 ? [] : [`held: ${names(held)}`]), ...others];
  return { outcome: 'done', message: said.join('; '), result: { held: held.map(keyOf) } };
}

/** Keeps each from acting for this run. `others`: what is not this run's to hold, and why. */
export async function holdEach(
  refs: readonly ObjectRef[],
  context: GiveBack,
): Promise<{ readonly held: readonly ObjectRef[]; readonly others: readonly string[] }> {
  const held: ObjectRef[] = [];
  const others: string[] = [];
  for (const ref of refs) {
    const answer = await written(ref, context, suspend);
    if (answer === undefined) others.push(`${names([ref])} is gone`);
    else if (answer.kind === 'nothing' && !answer.ours) others.push(`${names([ref])} ${answer.why}`);
    else held.push(ref);
    if (answer?.kind === 'write' && answer.left !== undefined) others.push(`${names([ref])}: ${answer.left}`);
  }
  return { held, others };
}

/** One object brought to what `change` makes of it, and seen to be so. Undefined: it is not there. */
async function written(
  ref: ObjectRef,
  { run, deps, signal, effect }: GiveBack,
  change: (object: KubeObject, run: string) => Suspending,
): Promise<Suspending | undefined> {
  for (let round = 1; ; round += 1) {
    signal.throwIfAborted();
    const object = await deps.cluster.get(ref);
    if (object === undefined) return undefined;
    const answer = change(object, run);
    if (answer.kind === 'nothing') return answer;
    const body = mergePatch(object, answer.object);
    try {
      const stored = await effect(async () => await deps.cluster.patch(ref, { type: 'merge', body }, { signal }));
      if (suspendedBy(stored).includes(run) === suspendedBy(answer.object).includes(run)) return answer;
      throw new BackstayError('OBJECT_REFUSED', `${names([ref])} does not stay as it is written.`, {
        next: 'Find the controller or webhook that takes the annotation backstay.dev/suspended away.',
      });
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED') || round >= ROUNDS) throw error;
    }
  }
}

function names(refs: readonly ObjectRef[]): string {
  return refs.map((ref) => displayName(keyOf(ref))).join(', ');
}
