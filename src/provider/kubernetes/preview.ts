import { isBackstayError } from '../../errors/index.ts';
import { groupOf, type KubeObject, keyOf, type ObjectKey } from '../../model/index.ts';
import type { Marked } from '../codec.ts';
import { assertUncontested, mustReplace } from './refusals.ts';
import { foresee } from './prediction.ts';
import type { Session } from './session.ts';

/** What the object would be, without the values that only a real write settles. Refuses what the write would refuse. */
export async function previewed(
  session: Session,
  target: KubeObject,
  inputs: Marked,
  manager: string,
): Promise<KubeObject> {
  const key = keyOf(target);
  if (inputs.unknowns.length > 0) return target;
  const { live, prediction } = await foresee(session, target).catch((error: unknown) => {
    if (isBackstayError(error, 'KIND_UNKNOWN') && isComing(session, target, error))
      return { live: undefined, prediction: undefined };
    throw error;
  });
  if (!session.may(key, live === undefined ? 'create' : 'update')) {
    session.note(key, { action: 'unchanged' });
    return live ?? target;
  }
  if (live === undefined || prediction === undefined) {
    session.note(key, { action: 'created' });
    return settledOnly(await dryCreated(session, target));
  }
  if (prediction.kind === 'equal') {
    session.note(key, { action: 'unchanged' });
    return live;
  }
  if (prediction.kind === 'immutable') {
    if (!session.may(key, 'replace')) throw mustReplace(target, prediction.reason);
    session.note(key, { action: 'replaced' });
    return target;
  }
  assertUncontested(session, live, prediction.result, manager);
  session.note(key, { action: 'updated' });
  return settledOnly(prediction.result);
}

async function dryCreated(session: Session, target: KubeObject): Promise<KubeObject> {
  try {
    return await session.cluster.create(target, { dryRun: true });
  } catch (error) {
    if (isComing(session, target, error)) return target;
    throw error;
  }
}

/** Whether a dry run failed only because the same plan makes the namespace or the kind that was missing. */
function isComing(session: Session, target: KubeObject, error: unknown): boolean {
  if (!isBackstayError(error)) return false;
  if (error.details['missingNamespace'] !== undefined) {
    return session.registered.has(`core/Namespace/-/${error.details['missingNamespace'] as string}` as ObjectKey);
  }
  if (error.code !== 'KIND_UNKNOWN') return false;
  const suffix = `.${groupOf(target.apiVersion)}`;
  return [...session.registered.keys()].some(
    (key) => key.startsWith('apiextensions.k8s.io/CustomResourceDefinition/') && key.endsWith(suffix),
  );
}

function settledOnly(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object;
  const {
    uid: _uid,
    resourceVersion: _version,
    creationTimestamp: _created,
    managedFields: _managed,
    generation: _generation,
    ...metadata
  } = object.metadata;
  return { ...rest, metadata };
}
