import { BackstayError, isBackstayError } from '../../errors/index.ts';
import {
  capturedForm,
  carryOver,
  fieldPathRemove,
  type JsonObject,
  type KubeObject,
  keyOf,
  refOf,
} from '../../model/index.ts';
import { foreignOf, ownersOf, takenOver } from './managed-fields.ts';
import { assertUnmoved } from './moved.ts';
import { said } from './object.ts';
import { withLiveOwners } from './owner-references.ts';
import { isAt, predict } from './prediction.ts';
import { assertUncontested, mustReplace } from './refusals.ts';
import { remove, untilGone } from './remove.ts';
import type { Session } from './session.ts';

/** Status writes of controllers make preconditions fail; each round starts from what is live now. */
const ROUNDS = 8;

export interface Brought {
  readonly object: KubeObject;
  readonly action: 'created' | 'updated' | 'replaced' | 'unchanged';
  readonly takenFrom: readonly string[];
}

export interface Bring {
  readonly urn: string;
  readonly target: KubeObject;
  /** Field manager to write as. */
  readonly manager: string;
  readonly signal: AbortSignal;
}

/**
 * Makes the live object equal to the target in captured form, from whatever it is: absent, someone else's, half-way.
 * Doing it again does nothing. Throws OBJECT_CONFLICT, OBJECT_MOVED, OBJECT_REFUSED, PLAN_REFUSED.
 */
export async function bring(session: Session, { urn, target, manager, signal }: Bring): Promise<Brought> {
  const { cluster, foreign } = session.options;
  const key = keyOf(target);
  let action: Brought['action'] = 'unchanged';
  let takenFrom: readonly string[] = [];
  for (let round = 1; ; round += 1) {
    signal.throwIfAborted();
    const live = await cluster.get(refOf(target));
    try {
      if (live === undefined || live.metadata.deletionTimestamp !== undefined) {
        if (live !== undefined) await untilGone(session, live, urn, signal);
        session.progress(key, urn, 'creating', `creating ${said(target)}`);
        await create(session, target, manager, signal);
        action = action === 'replaced' ? action : 'created';
        continue;
      }
      if (action === 'unchanged') await assertUnmoved(session, live);
      const wanted = await withLiveOwners(cluster, target);
      const prediction = await predict(cluster, live, wanted, foreign);
      if (prediction.kind === 'equal') return { object: live, action, takenFrom };
      // A plan may name a replacement where a change in place would do: what was shown is what is done, once.
      if (
        prediction.kind === 'immutable' ||
        (action === 'unchanged' && session.options.permit?.replace.has(key) === true)
      ) {
        if (prediction.kind === 'immutable' && !session.may(key, 'replace'))
          throw mustReplace(target, prediction.reason);
        session.replacing.set(key, live);
        await remove(session, { urn, object: live, signal });
        action = 'replaced';
        continue;
      }
      assertUncontested(session, live, prediction.result, manager);
      if (action === 'unchanged') {
        const [before, after] = [capturedForm(live, foreign), capturedForm(prediction.result, foreign)];
        // A write that meets a moved object is tried again, when its first half may have taken the fields over already.
        const owners = ownersOf(live, before, after).filter((owner) => owner !== manager);
        takenFrom = [...new Set([...takenFrom, ...owners])];
        session.progress(
          key,
          urn,
          'updating',
          `updating ${said(target)}${takenFrom.length === 0 ? '' : `, taking over from ${takenFrom.join(', ')}`}`,
        );
      }
      await write(session, live, prediction.form, wanted, manager, signal);
      action = action === 'unchanged' ? 'updated' : action;
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED') || error.details['object'] !== undefined || round >= ROUNDS)
        throw error;
    }
    if (round >= ROUNDS) throw unstable(target);
  }
}

/** Only what is ours to say: an apply must not claim what the server or others own. */
function applied(form: KubeObject, session: Session, resourceVersion?: string): KubeObject {
  const { status: _, ...object } = foreignOf(form, session.options.foreign).reduce(
    (rest, { path }) => fieldPathRemove(rest, path),
    form,
  );
  const { name, namespace, labels, annotations, ownerReferences, finalizers } = object.metadata;
  const metadata = { name, namespace, labels, annotations, ownerReferences, finalizers, resourceVersion };
  return { ...object, metadata: JSON.parse(JSON.stringify(metadata)) as KubeObject['metadata'] };
}

async function create(session: Session, target: KubeObject, manager: string, signal: AbortSignal): Promise<void> {
  const { cluster } = session;
  const wanted = await withLiveOwners(cluster, target);
  const write = { fieldManager: manager, force: true, signal };
  const former = session.replacing.get(keyOf(target));
  if (former !== undefined) {
    // Addresses of the former object are taken again where they are still free.
    const readdressed = applied(carryOver(former, wanted), session);
    try {
      await cluster.apply(readdressed, write);
      return;
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_REFUSED')) throw error;
    }
  }
  await cluster.apply(applied(wanted, session), write);
}

/**
 * First ownership, so that an apply removes what it leaves out; then the apply. What is still left belongs to nobody that
 * could be taken over, and goes by a full replacement.
 */
async function write(
  session: Session,
  live: KubeObject,
  form: KubeObject,
  target: KubeObject,
  manager: string,
  signal: AbortSignal,
): Promise<void> {
  const { cluster, foreign, permit } = session.options;
  const owners = takenOver(live, manager, permit?.takeFrom ?? [], foreign);
  let owned = live;
  if (owners !== undefined) {
    const body: readonly JsonObject[] = [
      { op: 'test', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion ?? '' },
      { op: 'replace', path: '/metadata/managedFields', value: owners as unknown as JsonObject[] },
    ];
    owned = await cluster.patch(refOf(live), { type: 'json', body }, { fieldManager: manager, signal });
  }
  const result = await cluster.apply(applied(form, session, owned.metadata.resourceVersion), {
    fieldManager: manager,
    force: true,
    signal,
  });
  if (isAt(result, target, foreign)) return;
  const rest = await predict(cluster, result, target, foreign);
  if (rest.kind === 'different') await cluster.replace(rest.form, { fieldManager: manager, signal });
}

function unstable(target: KubeObject): BackstayError {
  return new BackstayError(
    'OBJECT_REFUSED',
    `${said(target)} does not stay as it is written: something changes it back each time.`,
    {
      next: 'Find the controller or webhook that owns it, and declare its fields foreign.',
      details: { object: keyOf(target) },
    },
  );
}
