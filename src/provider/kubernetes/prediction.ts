import { isBackstayError } from '../../errors/index.ts';
import {
  canonicalJson,
  capturedForm,
  carryOver,
  type ForeignField,
  HELD,
  type KubeObject,
  refOf,
  SUSPENDED,
} from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';
import { withLiveOwners } from './owner-references.ts';
import type { Session } from './session.ts';

/** What writing the target over a live object would do. */
export type Prediction =
  | { readonly kind: 'equal' }
  /** `result` is what the API server would make of it: defaults and admission included. */
  | { readonly kind: 'different'; readonly form: KubeObject; readonly result: KubeObject }
  /** The API server refuses to change these fields of an existing object. */
  | { readonly kind: 'immutable'; readonly fields: readonly string[]; readonly reason: string };

/**
 * Asks the API server, by a dry run of a full replacement: unlike an apply, which keeps what other managers own, its
 * result is what the object will be after a run. Throws the cluster's errors, OBJECT_REFUSED by admission among them.
 */
export async function predict(
  cluster: Cluster,
  live: KubeObject,
  target: KubeObject,
  foreign: readonly ForeignField[],
): Promise<Prediction> {
  if (isAt(live, target, foreign)) return { kind: 'equal' };
  const unheaded = headlessOnly(live, target);
  if (unheaded !== undefined) return unheaded;
  const form = carryOver(live, target, { foreign, precondition: true });
  try {
    const result = await cluster.replace(form, { dryRun: true });
    const same = equalInForm(live, result, foreign) && hasMarks(live, target);
    return same ? { kind: 'equal' } : { kind: 'different', form, result };
  } catch (error) {
    const fields = immutableFields(error);
    if (fields === undefined) throw error;
    return { kind: 'immutable', fields, reason: (error as Error).message };
  }
}

/**
 * A headless Service keeps `None` when it is written without an address, and says nothing: what the target means is an
 * assigned address, and only a new Service gets one.
 */
function headlessOnly(live: KubeObject, target: KubeObject): Prediction | undefined {
  if (target.kind !== 'Service' || target.apiVersion !== 'v1') return undefined;
  const [is, wanted] = [live, target].map(
    (service) => (service['spec'] ?? {}) as { clusterIP?: string; type?: string },
  );
  if (is?.clusterIP !== 'None' || wanted?.clusterIP !== undefined || wanted?.type === 'ExternalName') return undefined;
  return {
    kind: 'immutable',
    fields: ['spec'],
    reason: 'spec.clusterIP: a headless Service cannot be given an address',
  };
}

/** Whether the object is at the target: equal in captured form, with the marks that the target sets itself. */
export function isAt(object: KubeObject, target: KubeObject, foreign: readonly ForeignField[]): boolean {
  return equalInForm(object, target, foreign) && hasMarks(object, target);
}

/**
 * A plan restarts pods by a mark of ours on their template. Marks lie outside captured form, for they say nothing about
 * what the object is; but a target that sets one means it.
 */
function hasMarks(object: KubeObject, target: KubeObject): boolean {
  const there = new Map(marksOf(object));
  return marksOf(target).every(([place, value]) => there.get(place) === value);
}

function marksOf(object: KubeObject): readonly (readonly [string, string])[] {
  const spec = (object['spec'] ?? {}) as Template;
  const template = spec.jobTemplate?.spec?.template ?? spec.template;
  return [object.metadata.annotations, template?.metadata?.annotations].flatMap((annotations, place) =>
    Object.entries(annotations ?? {})
      // Holds are of a moment, not of a target: they come and go while the target stays what it is.
      .filter(([name]) => name.startsWith('backstay.dev/') && name !== SUSPENDED && name !== HELD)
      .map(([name, value]) => [`${place} ${name}`, value] as const),
  );
}

interface Template {
  readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };
  readonly jobTemplate?: { readonly spec?: Template };
}

export function equalInForm(a: KubeObject, b: KubeObject, foreign: readonly ForeignField[]): boolean {
  return canonicalJson(capturedForm(a, foreign)) === canonicalJson(capturedForm(b, foreign));
}

/** How API servers word it; the reason is `Invalid` for all sorts of mistakes, so that the words have to tell. */
const IMMUTABLE =
  /immutable|cannot change roleRef|can ?not be (changed|unset|removed|updated)|may not (be )?change|updates? to .*forbidden/i;

/** Status writes of controllers make the dry run's precondition fail; it is then asked again from what is live. */
const ROUNDS = 8;

/** What writing the target would do to what is live now; no prediction when nothing is, or only on its way out. */
export async function foresee(
  session: Session,
  target: KubeObject,
): Promise<{ readonly live: KubeObject | undefined; readonly prediction: Prediction | undefined }> {
  const { cluster, foreign } = session.options;
  for (let round = 1; ; round += 1) {
    const live = await cluster.get(refOf(target));
    if (live === undefined || live.metadata.deletionTimestamp !== undefined) return { live, prediction: undefined };
    try {
      return { live, prediction: await predict(cluster, live, await withLiveOwners(cluster, target), foreign) };
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED') || round >= ROUNDS) throw error;
    }
  }
}

/** The top-level fields that cannot be changed in place; undefined when the refusal has another reason. */
export function immutableFields(error: unknown): readonly string[] | undefined {
  if (!isBackstayError(error, 'OBJECT_REFUSED') || error.details['status'] !== 422) return undefined;
  const causes = (error.details['causes'] ?? []) as readonly { readonly field?: string; readonly message?: string }[];
  // One field that is merely wrong would be wrong after a replacement too.
  if (causes.length === 0 || !causes.every(({ message }) => IMMUTABLE.test(message ?? ''))) return undefined;
  const tops = causes.map(({ field }) => /^[A-Za-z]+/.exec(field ?? '')?.[0] ?? 'spec');
  return [...new Set(tops)];
}
