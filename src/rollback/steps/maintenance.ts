import { BackstayError, isBackstayError } from '../../errors/index.ts';
import { healthOf } from '../../health/index.ts';
import {
  displayName,
  flagValue,
  type KubeObject,
  keyOf,
  maintainedBy,
  mergePatch,
  type ObjectRef,
  setFlag,
  type StepAction,
  type Turning,
  turnOff,
  turnOn,
} from '../../model/index.ts';
import type { Executor, StepContext } from '../executor.ts';
import { unreadyInWords, untilReady } from './until-ready.ts';

type On = Extract<StepAction, { kind: 'maintenance-on' }>;
type Off = Extract<StepAction, { kind: 'maintenance-off' }>;

/** Controllers and people write at any moment; each round starts from what is live now. */
const ROUNDS = 8;
/** Milliseconds between two looks at what has to say that it is on. */
const PACE_MS = 500;
/** Names what the pods were restarted for: repeating it changes nothing. Outside captured form, as the next. */
const RESTARTED_FOR = 'backstay.dev/restarted-for';
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

interface Recorded {
  /** Turned on by this run, or taken over from a dead one: this run turns it off. */
  readonly ours: boolean;
  readonly was: string | null;
  readonly owner: string;
}

/**
 * Closes the stack: the flag is set, what it was is remembered on its object, its readers are restarted, and it shows. Found
 * on by somebody else, it stays theirs.
 */
export const maintenanceOn: Executor<On> = async (action, context) => {
  const { object: ref, place, on, flag } = action;
  const answer = await turned(ref, (object) => turnOn(object, place, on, context.run), context);
  const known = recordedIn(context);
  const ours = answer.kind === 'write' || answer.ours;
  const owner = ours ? `run ${context.run}` : whoSet(answer.live);
  const was = known?.was ?? (answer.kind === 'write' ? answer.was : (flagValue(answer.live, place) ?? null));
  const result = { ours, was, owner } satisfies Recorded;
  const unready = ours ? await restarted(action, context) : [];
  const proof = await proven(action, true, context);
  if (proof !== undefined) return { outcome: 'failed', code: 'MAINTENANCE_UNPROVEN', message: proof, result };
  const said = [
    ours
      ? `${flag} is ${on}; it was ${was ?? 'not set'}`
      : `${flag} was ${on} already, by ${owner}, and stays so afterwards`,
    ...('left' in answer && answer.left !== undefined ? [answer.left] : []),
    ...(unready.length === 0 ? [] : [`not well, and not before either: ${unready.join(', ')}`]),
  ];
  return { outcome: unready.length === 0 ? 'done' : 'warned', touched: ours, message: said.join('; '), result };
};

/** Opens the stack again, if it was this run that closed it: the flag is what it was, or what the target says. */
export const maintenanceOff: Executor<Off> = async (action, context) => {
  const { object: ref, place, on, off, flag } = action;
  const { run, attempt } = context;
  const known = recordedIn(context);
  const answer = await turned(ref, (object) => turnedOff(object, action, known, run), context);
  const now = flagValue(answer.live, place);
  const wasOurs = answer.kind === 'write' || known?.ours === true || (attempt > 1 && now !== on);
  if (!wasOurs)
    return { outcome: 'done', touched: false, message: `${flag} ${answer.kind === 'nothing' ? answer.why : ''}` };
  const unready = await restarted(action, context);
  const proof = now === on ? undefined : await proven(action, false, context);
  if (proof !== undefined) return { outcome: 'failed', code: 'MAINTENANCE_UNPROVEN', message: proof };
  const said = [
    `${flag} is ${now ?? 'not set'}${now === off || now === undefined ? '' : ' as it is in the target or by somebody else'}`,
    ...('left' in answer && answer.left !== undefined ? [answer.left] : []),
    ...(unready.length === 0 ? [] : [`not well: ${unready.join(', ')}`]),
  ];
  return {
    outcome: unready.length === 0 ? 'done' : 'warned',
    message: said.join('; '),
    result: { value: now ?? null },
  };
};

/** What tells whose it is may have been taken off the object by another tool; then the journal knows. */
function turnedOff(object: KubeObject, { place, on, off }: Off, known: Recorded | undefined, run: string): Turning {
  const answer = turnOff(object, run);
  if (answer.kind === 'write' || known?.ours !== true || maintainedBy(object) !== undefined) return answer;
  if (flagValue(object, place) !== on) return answer;
  const was = known.was ?? off;
  return { kind: 'write', object: setFlag(object, place, was), was };
}

function recordedIn({ state }: StepContext): Recorded | undefined {
  const step = [...state.steps.values()].find((s) => s.step.action.kind === 'maintenance-on');
  return step?.result as unknown as Recorded | undefined;
}

/** The object brought to what `change` makes of it. @throws MAINTENANCE_UNPROVEN when it is not there */
async function turned(
  ref: ObjectRef,
  change: (object: KubeObject) => Turning,
  { deps, signal, effect }: StepContext,
): Promise<Turning & { readonly live: KubeObject }> {
  for (let round = 1; ; round += 1) {
    signal.throwIfAborted();
    const object = await deps.cluster.get(ref);
    if (object === undefined)
      throw new BackstayError('MAINTENANCE_UNPROVEN', `${displayName(keyOf(ref))}, which holds the flag, is not there`);
    const answer = change(object);
    if (answer.kind === 'nothing') return { ...answer, live: object };
    const body = mergePatch(object, answer.object);
    try {
      const live = await effect(async () => await deps.cluster.patch(ref, { type: 'merge', body }, { signal }));
      return { ...answer, live };
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED') || round >= ROUNDS) throw error;
    }
  }
}

/**
 * Restarts what reads the flag, all at once, and waits for it. Gives those that are not well and were not before.
 * @throws TIMEOUT naming those that were
 */
async function restarted(
  { object, place, workloads, kind }: On | Off,
  context: StepContext,
): Promise<readonly string[]> {
  const { deps, run, signal, effect } = context;
  const token = `${run}/${kind}`;
  const annotations = { [RESTARTED_FOR]: token, [RESTARTED_AT]: new Date(deps.clock.now()).toISOString() };
  const sick = new Set<ObjectRef>();
  const readers = place.kind === 'env' ? [object, ...workloads] : workloads;
  const there: ObjectRef[] = [];
  for (const ref of readers) {
    const live = await deps.cluster.get(ref);
    if (live === undefined) continue;
    there.push(ref);
    if (healthOf(live).state === 'failed') sick.add(ref);
    // A new value in its template restarts it by itself.
    if (ref === object || tokenOf(live) === token) continue;
    const body = { spec: { template: { metadata: { annotations } } } };
    await effect(async () => await deps.cluster.patch(ref, { type: 'merge', body }, { signal }));
  }
  const unready = await untilReady(there, context);
  // On the way back what was there before is there again, well or not.
  const isExcused = (ref: ObjectRef): boolean => sick.has(ref) || context.step.action.kind !== kind;
  const failed = unready.filter(({ ref }) => !isExcused(ref));
  if (failed.length > 0) throw new BackstayError('TIMEOUT', `restarted and not well again: ${unreadyInWords(failed)}`);
  return unready.map((one) => unreadyInWords([one]));
}

function tokenOf(object: KubeObject): string | undefined {
  const spec = object['spec'] as { template?: { metadata?: { annotations?: Record<string, string> } } } | undefined;
  return spec?.template?.metadata?.annotations?.[RESTARTED_FOR];
}

/** Why it cannot be seen that it is on, or off; undefined: it can, or nobody says how. */
async function proven(
  { check, flag }: On | Off,
  isOn: boolean,
  { deps, signal }: StepContext,
): Promise<string | undefined> {
  if (check === undefined) return undefined;
  const { target, accept, timeoutMs } = check;
  const until = deps.clock.monotonic() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const said = await answerOf(target, { deps, signal });
    if (typeof said === 'number' && accept.includes(said) === isOn) return undefined;
    if (deps.clock.monotonic() >= until) {
      const seen = typeof said === 'number' ? `answers ${said}` : said;
      return `${flag} is ${isOn ? 'on' : 'off'}, and ${target.url} ${seen}`;
    }
    await deps.clock.delay(PACE_MS, signal);
  }
}

/** Milliseconds that one answer may take. */
const ANSWER_MS = 5_000;

async function answerOf(
  target: NonNullable<On['check']>['target'],
  { deps, signal }: Pick<StepContext, 'deps' | 'signal'>,
): Promise<number | string> {
  try {
    return (await deps.ask(target, { method: 'GET', timeoutMs: ANSWER_MS, signal })).status;
  } catch (error) {
    if (signal.aborted || !isBackstayError(error)) throw error;
    return `does not answer: ${error.message}`;
  }
}

/** Who wrote to it last, as the API server says. */
function whoSet({ metadata }: KubeObject): string {
  const by = maintainedBy({ apiVersion: '', kind: '', metadata });
  if (by !== undefined) return `run ${by}`;
  const fields = (metadata['managedFields' as keyof typeof metadata] ?? []) as readonly {
    readonly manager?: string;
    readonly time?: string;
  }[];
  const last = fields.toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? 1 : -1))[0];
  return last?.manager === undefined
    ? 'somebody else'
    : `${last.manager}${last.time === undefined ? '' : ` at ${last.time}`}`;
}
