import { capture, type CaptureOptions, type CaptureResult } from '../../actions/capture.ts';
import type { ReachedStack, ServiceDeps } from '../deps.ts';

/** A snapshot of the stack as it is. @throws as `capture`, and what reaching its cluster throws */
export async function captureReached(
  options: CaptureOptions,
  reached: ReachedStack,
  { http }: Pick<ServiceDeps, 'http'>,
): Promise<CaptureResult> {
  const { stack, cluster, store, hasher, clock, migrations } = await reached.planDeps();
  const known = migrations === undefined ? {} : { migrations };
  return await capture(options, { stack, cluster, store, hasher, clock, http, ...known });
}
