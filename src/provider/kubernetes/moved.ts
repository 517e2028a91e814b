import { BackstayError } from '../../errors/index.ts';
import { capturedForm, digestOf, type KubeObject, keyOf } from '../../model/index.ts';
import { said } from './object.ts';
import { changesByOwner, OUR_MANAGER } from './managed-fields.ts';
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
  const theirs = changesByOwner(live, was, is).filter(({ manager }) => !isOurs(manager));
  // Ours alone: the journaled pause, scale and maintenance changes of this run.
  if (theirs.length === 0 && writtenByUs(live)) return;
  const fields = [...new Set(theirs.map(({ path }) => path))].join(', ') || 'fields';
  const owners = [...new Set(theirs.map(({ manager }) => manager))].join(', ') || 'an unnamed writer';
  throw moved(live, `${fields} changed by ${owners}`);
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
