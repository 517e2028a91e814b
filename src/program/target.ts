import { compose } from '../compose.ts';
import type { Variables } from '../config/index.ts';
import { BackstayError } from '../errors/index.ts';
import { declaredOrder, type KubeObject, type ObjectKey } from '../model/index.ts';

export interface Target {
  /** The whole snapshot, with real Secret values. */
  readonly objects: readonly KubeObject[];
  /** UID of the kube-system namespace of the cluster that it belongs to. */
  readonly clusterUid: string;
  /** What the stack wants one after another. */
  readonly order: readonly ObjectKey[];
}

export interface TargetOptions {
  readonly stack: string;
  /** Id, label, `previous` or `known-good`. */
  readonly target: string;
  readonly env: Variables;
  readonly cwd: string;
}

/**
 * The snapshot that a stack's `backstay:target` names, verified and decrypted. Errors: STACK_UNKNOWN, STACK_INVALID,
 * TARGET_UNKNOWN, TARGET_AMBIGUOUS, SNAPSHOT_TAMPERED, SNAPSHOT_UNSIGNED, SECRETS_UNREADABLE, KEY_MISSING.
 */
export async function loadTarget({ stack, target, env, cwd }: TargetOptions): Promise<Target> {
  const composition = await compose({ stack, env, cwd });
  try {
    const { store } = composition;
    const { content, id } = await store.resolve(stack, target);
    const clusterUid = content.clusterUid ?? composition.stack.cluster.uid;
    if (clusterUid === undefined) {
      throw new BackstayError('CLUSTER_MISMATCH', `Snapshot ${target} was made from manifests and names no cluster.`, {
        next: 'Set `cluster: {uid: …}` in the stack file to the UID of the kube-system namespace.',
      });
    }
    const hasher = await composition.hasher();
    const secrets = await store.secrets(stack, await store.get(stack, id));
    const objects = hasher.reveal(content.objects, secrets);
    return { objects, clusterUid, order: declaredOrder(objects, composition.stack.order) };
  } finally {
    await composition.close();
  }
}
