import { accepted, findTarget, tryAsk } from './ask.ts';
import type { Measure } from './context.ts';

/** One GET. Passes on an accepted code; any other answer, and none, fails. */
export const measureHttp: Measure<'http'> = async ({ target, accept, timeoutMs }, context) => {
  const found = await findTarget(target, context);
  const began = context.clock.monotonic();
  const answer = await tryAsk(found, { method: 'GET', timeoutMs, signal: context.signal });
  const latencyMs = Math.round(context.clock.monotonic() - began);
  if (typeof answer === 'string') return { verdict: 'fail', reason: answer };
  const measured = { status: answer.status, latencyMs };
  if (accepted(answer, accept)) return { verdict: 'pass', reason: `${found.name} answers ${answer.status}`, measured };
  const reason = `${found.name} answers ${answer.status}, expected ${accept.join(' or ')}`;
  return { verdict: 'fail', reason, measured };
};
