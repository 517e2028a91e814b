import { BackstayError } from '../../errors/index.ts';
import { capturedForm, digestOf, type KubeObject, keyOf } from '../../model/index.ts';
import { said } from './object.ts';
import { contests, OUR_MANAGER, ownersOf } from './managed-fields.ts';
import { equalInForm } from './prediction.ts';
import type { Session } from './session.ts';

/**
 * Refuses an object that is not as the plan saw it. `permit.observed` holds its resourceVersion, or the digest of its
 * captured form (`sha256:…`). Status, other fields outside captured form and what Backstay itself wrote in this run may
 * have moved. Throws OBJECT_MOVED, also when what the plan saw cannot be read any more.
 */
export async function assertUnmoved(session: Session, live: KubeObject, planned?: string): Promise<void> {
  const { cluster, permit, foreign } = session.options;
  const seen = planned ?? permit?.observed.get(keyOf(live));
  if (seen === undefined || seen === live.metadata.resourceVersion) return;
  if (seen.startsWith('sha256:')) {
    if (digestOf(capturedForm(live, foreign)) === seen || writtenByUs(live)) return;
    throw moved(live, 'its captured form differs from the planned one');
  }
  const kind = await cluster.kindOf(live.apiVersion, live.kind);
  const { namespace, name } = live.metadata;
  const then =
    kind === undefined
      ? undefined
      : await cluster
          .list(kind, {
            ...(namespace === undefined ? {} : { namespace }),
            fieldSelector: `metadata.name=${name}`,
            exactVersion: seen,
          })
          .catch((cause: unknown) => {
            throw moved(live, 'and the version that the plan saw cannot be read any more', cause);
          });
  const before = then?.items[0];
  if (before === undefined) throw moved(live, 'and was not there at the version that the plan saw');
  if (before.metadata.uid !== live.metadata.uid) throw moved(live, 'it was deleted and made again');
  if (equalInForm(before, live, foreign)) return;
  const [was, is] = [capturedForm(before, foreign), capturedForm(live, foreign)];
  const owners = ownersOf(live, was, is).filter((owner) => !isOurs(owner));
  // Ours alone: the journaled pause, scale and maintenance changes of this run.
  if (owners.length === 0 && writtenByUs(live)) return;
  const fields = contests(live, was, is, OUR_MANAGER, []).map(({ path }) => path);
  throw moved(live, `${fields.join(', ') || 'fields'} changed by ${owners.join(', ') || 'an unnamed writer'}`);
}

const isOurs = (manager: string): boolean => manager === OUR_MANAGER || manager.startsWith(`${OUR_MANAGER}-`);

function writtenByUs(live: KubeObject): boolean {
  return (live.metadata.managedFields ?? []).some(({ manager }) => isOurs(manager));
}

function moved(live: KubeObject, how: string, cause?: unknown): BackstayError {
  return new BackstayError('OBJECT_MOVED', `${said(live)} moved since it was planned: ${how}.`, {
    ...(cause === undefined ? {} : { cause }),
    details: { object: keyOf(live) },
  });
}
