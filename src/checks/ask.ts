import { isBackstayError } from '../errors/index.ts';
import { type ResolvedTarget, resolveTarget, type TargetRequest } from '../hooks/index.ts';
import type { HttpTarget } from '../model/index.ts';
import type { HttpAnswer } from '../ports/index.ts';
import type { CheckContext } from './context.ts';

export async function findTarget(target: HttpTarget, { cluster, http, stack }: CheckContext): Promise<ResolvedTarget> {
  return await resolveTarget(target, { cluster, http, namespace: stack.namespaces[0] ?? 'default' });
}

/**
 * The answer, or in one line why there was none. No answer is a measurement: the target was asked and did not answer.
 * Everything else that goes wrong is thrown, because it says nothing about the target.
 */
export async function tryAsk(target: ResolvedTarget, request: TargetRequest): Promise<HttpAnswer | string> {
  try {
    return await target.request(request);
  } catch (error) {
    if (isBackstayError(error, 'ENDPOINT_UNREACHABLE') || isBackstayError(error, 'TIMEOUT')) return error.message;
    throw error;
  }
}

export function accepted({ status }: HttpAnswer, accept: readonly number[]): boolean {
  return accept.includes(status);
}
