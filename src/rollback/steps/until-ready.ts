import { healthOf } from '../../health/index.ts';
import { displayName, keyOf, type ObjectRef } from '../../model/index.ts';
import type { StepContext } from '../executor.ts';

/**
 * Watches until each of these is as its controller should make it, all at once. Gives those that are not there yet when the
 * stack's `readyTimeout` is over or that cannot get there, and why.
 */
export async function untilReady(
  refs: readonly ObjectRef[],
  context: Pick<StepContext, 'deps' | 'signal' | 'report'>,
): Promise<readonly { readonly ref: ObjectRef; readonly why: string }[]> {
  const limit = AbortSignal.timeout(context.deps.stack.readyTimeoutMs);
  const answers = await Promise.all(refs.map(async (ref) => ({ ref, why: await oneReady(ref, limit, context) })));
  return answers.flatMap(({ ref, why }) => (why === undefined ? [] : [{ ref, why }]));
}

async function oneReady(
  ref: ObjectRef,
  limit: AbortSignal,
  { deps, signal, report }: Pick<StepContext, 'deps' | 'signal' | 'report'>,
): Promise<string | undefined> {
  const kind = await deps.cluster.kindOf(ref.apiVersion, ref.kind);
  if (kind === undefined) return `${ref.kind} is not served any more`;
  const over = new AbortController();
  const watched = { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) };
  const key = keyOf(ref);
  let missing = 'it is not there';
  try {
    const until = AbortSignal.any([signal, limit, over.signal]);
    for await (const event of deps.cluster.watch(kind, { ...watched, signal: until })) {
      if (event.type === 'synced') continue;
      if (event.type === 'deleted') return 'it was deleted';
      const { state, reason } = healthOf(event.object);
      if (state === 'failed') return reason;
      if (state === 'ready') {
        report({ type: 'object.progress', object: key, state: 'ready', message: reason });
        return undefined;
      }
      if (reason !== missing) report({ type: 'object.progress', object: key, state: 'waiting', message: reason });
      missing = reason;
    }
  } catch (error) {
    if (!signal.aborted && !limit.aborted) throw error;
  } finally {
    over.abort();
  }
  signal.throwIfAborted();
  return missing;
}

/** `deployment/a (1 of 3 available), deployment/b (it is not there)`. */
export function unreadyInWords(unready: readonly { readonly ref: ObjectRef; readonly why: string }[]): string {
  return unready.map(({ ref, why }) => `${displayName(keyOf(ref))} (${why})`).join(', ');
}
