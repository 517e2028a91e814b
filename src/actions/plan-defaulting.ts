import { BackstayError, isBackstayError } from '../errors/index.ts';
import {
  asItWas,
  capturedForm,
  carryOver,
  type ForeignField,
  groupOf,
  type KubeObject,
  keyOf,
  type ObjectKey,
  partsOf,
  refOf,
} from '../model/index.ts';
import type { Refusal } from '../plan/index.ts';
import type { Cluster } from '../ports/index.ts';

export interface DefaultingInput {
  /** In captured form, with real Secret values. */
  readonly objects: readonly KubeObject[];
  /** As the server sent them, with real Secret values. */
  readonly live: ReadonlyMap<ObjectKey, KubeObject>;
  readonly foreign: readonly ForeignField[];
  /** Namespaces that the same plan creates. */
  readonly namespaces: ReadonlySet<string>;
  /** `KIND.GROUP` of what a CustomResourceDefinition in the same plan brings. */
  readonly definedKinds: ReadonlySet<string>;
  readonly signal?: AbortSignal;
}

export interface Defaulted {
  /** In the order of the input, in captured form, as the API server would store them. */
  readonly objects: readonly KubeObject[];
  /** What cannot be changed in place, with the server's reason. */
  readonly immutable: ReadonlyMap<ObjectKey, string>;
  readonly refusals: readonly Refusal[];
}

const AT_ONCE = 8;
/** In the middle of a rollout its status moves with every pod; a busy machine was seen to lose three times in a row. */
const ATTEMPTS = 10;

/**
 * What the API server would make of each object, by dry runs: its defaults and admission, so that a manifest by hand
 * equals the live object made from it. An object in a namespace, or of a kind, that the same plan creates cannot be
 * asked about yet and is taken as it is; everything else that the server refuses is thrown (OBJECT_REFUSED,
 * CLUSTER_FORBIDDEN, CLUSTER_UNREACHABLE).
 */
export async function defaulted(cluster: Cluster, input: DefaultingInput): Promise<Defaulted> {
  const results: KubeObject[] = [];
  const immutable = new Map<ObjectKey, string>();
  const refusals: Refusal[] = [];
  const queue = input.objects.entries();
  const worker = async (): Promise<void> => {
    for (const [index, object] of queue) {
      const answer = await ask(cluster, object, input);
      results[index] = capturedForm(answer.object, input.foreign);
      if (answer.immutable !== undefined) immutable.set(keyOf(object), answer.immutable);
      if (answer.refusal !== undefined) refusals.push(answer.refusal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, input.objects.length) }, worker));
  return { objects: results, immutable, refusals: refusals.sort((a, b) => (a.message < b.message ? -1 : 1)) };
}

interface Answer {
  readonly object: KubeObject;
  readonly immutable?: string;
  readonly refusal?: Refusal;
}

async function ask(cluster: Cluster, object: KubeObject, input: DefaultingInput): Promise<Answer> {
  if (input.definedKinds.has(`${object.kind}.${groupOf(object.apiVersion)}`)) {
    const served = await cluster.kindOf(object.apiVersion, object.kind);
    if (served === undefined) return { object };
  }
  const live = input.live.get(keyOf(object));
  if (live === undefined) return await askCreate(cluster, object, input);
  return await askReplace(cluster, object, live, input);
}

async function askReplace(
  cluster: Cluster,
  object: KubeObject,
  live: KubeObject,
  input: DefaultingInput,
): Promise<Answer> {
  let base: KubeObject | undefined = live;
  for (let attempt = 1; ; attempt++) {
    try {
      // What is suspended is asked about as what it will be again.
      const form = asItWas(carryOver(base, object, { foreign: input.foreign, precondition: true }));
      return { object: await cluster.replace(form, options(input)) };
    } catch (error) {
      const reason = immutableReason(error);
      if (reason !== undefined) return { object: await askAnew(cluster, object, input), immutable: reason };
      if (!isBackstayError(error, 'OBJECT_MOVED') || attempt === ATTEMPTS) throw error;
      // Controllers write statuses all the time; the question is about the present version, whichever it is.
      base = await cluster.get(refOf(object));
      if (base === undefined) throw error;
    }
  }
}

async function askCreate(cluster: Cluster, object: KubeObject, input: DefaultingInput): Promise<Answer> {
  try {
    return { object: await cluster.create(object, options(input)) };
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    const missing = error.details['missingNamespace'];
    if (typeof missing === 'string' && input.namespaces.has(missing)) return { object };
    if (error.details['exists'] !== true) throw error;
    // It is on its way out, and is made again when it is gone: its name is taken for as long.
    const there = await cluster.get(refOf(object));
    if (there?.metadata.deletionTimestamp !== undefined) return { object: await askAnew(cluster, object, input) };
    const { kind, name, namespace } = partsOf(keyOf(object));
    const what = `${kind.toLowerCase()}/${name}${namespace === undefined ? '' : ` in ${namespace}`}`;
    return {
      object,
      refusal: {
        code: 'PLAN_REFUSED',
        message: `${what} is in the target and there already, but it is not part of the live stack: it is excluded, or a controller owns it.`,
        next: 'Exclude it from the target, or include it in the stack file.',
        details: { object: keyOf(object) },
      },
    };
  }
}

/** Defaults of an object that has to be created again: asked under another name, for its own is still taken. */
async function askAnew(cluster: Cluster, object: KubeObject, input: DefaultingInput): Promise<KubeObject> {
  const { name } = object.metadata;
  const other = `${name.slice(0, 40).replace(/[^a-z0-9]+$/, '')}-backstay-dry`;
  const made = await cluster.create({ ...object, metadata: { ...object.metadata, name: other } }, options(input));
  return { ...made, metadata: { ...made.metadata, name } };
}

function options({ signal }: DefaultingInput): { readonly dryRun: true; readonly signal?: AbortSignal } {
  return { dryRun: true, ...(signal === undefined ? {} : { signal }) };
}

/** How API servers word it: the status says `Invalid` for every mistake, so that the words have to tell. */
const IMMUTABLE =
  /immutable|cannot change roleRef|can ?not be (changed|unset|removed|updated)|may not (be )?change|updates? to .*forbidden/i;

/** The server's reason why an object cannot be changed in place; undefined when it refused for another reason. */
export function immutableReason(error: unknown): string | undefined {
  if (!(error instanceof BackstayError) || error.code !== 'OBJECT_REFUSED' || error.details['status'] !== 422)
    return undefined;
  const causes = (error.details['causes'] ?? []) as readonly { readonly field?: string; readonly message?: string }[];
  // A field that is merely wrong would be wrong in a new object too.
  if (causes.length === 0 || !causes.every(({ message }) => IMMUTABLE.test(message ?? ''))) return undefined;
  return causes.map(({ field, message }) => `${field ?? 'spec'}: ${shorten(message ?? '')}`).join('; ');
}

/** Messages repeat the whole value before the reason. */
function shorten(message: string): string {
  const reason = message.replace(/^Invalid value: (".*?"|.*?): (?=[^:]+$)/s, '');
  return reason.length > 200 ? `${reason.slice(0, 199)}…` : reason;
}
