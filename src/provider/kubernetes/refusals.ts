import { BackstayError } from '../../errors/index.ts';
import { capturedForm, type KubeObject, keyOf } from '../../model/index.ts';
import { contests } from './managed-fields.ts';
import { said } from './object.ts';
import type { Session } from './session.ts';

/** Throws OBJECT_CONFLICT, naming fields and owners, when the change goes against a controller that nobody named. */
export function assertUncontested(session: Session, live: KubeObject, result: KubeObject, manager: string): void {
  const { foreign, permit } = session.options;
  const forms = [capturedForm(live, foreign), capturedForm(result, foreign)] as const;
  const contested = contests(live, ...forms, manager, permit?.takeFrom ?? []);
  if (contested.length > 0) throw conflict(live, contested);
}

/** An immutable field would have to change, and the plan names no replacement. */
export function mustReplace(target: KubeObject, reason: string): BackstayError {
  return new BackstayError(
    'PLAN_REFUSED',
    `${said(target)} would have to be deleted and made again, which the plan does not name: ${reason}`,
    {
      next: 'Plan again and approve the replacement.',
      details: { object: keyOf(target) },
    },
  );
}

function conflict(
  target: KubeObject,
  contested: readonly { readonly manager: string; readonly path: string }[],
): BackstayError {
  const fields = contested.map(({ path, manager }) => `${path} (${manager})`).join(', ');
  const managers = [...new Set(contested.map(({ manager }) => manager))];
  return new BackstayError('OBJECT_CONFLICT', `${said(target)} must change fields that others own: ${fields}.`, {
    next: `Declare the fields foreign in the stack file, or pass --take ${managers.join(',')}.`,
    details: { object: keyOf(target), conflicts: contested },
  });
}
