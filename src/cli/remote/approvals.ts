import { BackstayError } from '../../errors/index.ts';
import type { Invocation, Remote, RemoteRun } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { textOf } from '../plan-options.ts';
import { renderPlan } from '../render/plan.ts';
import { tellDecided } from '../render/runs.ts';

export const approve: RemoteRun = async (invocation, remote) => await decide(invocation, remote, 'approved');

export const deny: RemoteRun = async (invocation, remote) => await decide(invocation, remote, 'denied');

async function decide(
  { args, options, terminal }: Invocation,
  { client }: Remote,
  decision: 'approved' | 'denied',
): Promise<number> {
  const [run = ''] = args;
  const [reason, hash] = [textOf(options['reason']), textOf(options['plan'])];
  if (decision === 'denied' && (reason ?? '').trim() === '')
    throw new BackstayError('USAGE', 'A denial needs --reason: it is what the requester reads.');
  const { review, etag } = await client.review(run);
  const { plan, need, role, because, requestedBy } = review;
  if (role === undefined)
    throw new BackstayError('APPROVAL_REFUSED', `${because ?? 'you may not decide'}.`, { details: { run } });
  const digits = hash?.replace(/^sha256:/, '');
  if (digits !== undefined && !(digits.length >= 12 && plan.hash.slice('sha256:'.length).startsWith(digits)))
    throw new BackstayError('APPROVAL_REFUSED', `run ${run} is of plan ${plan.hash}, not of ${hash ?? ''}`);
  terminal.note(renderPlan(plan, terminal.err));
  terminal.note(
    `${terminal.err.bold(need.severity)}: asked for by ${requestedBy.user} on ${requestedBy.host}; you decide as ${role}`,
  );
  if (options['yes'] !== true) {
    const verb = decision === 'approved' ? 'Approve' : 'Deny';
    await confirmByName(terminal, plan.stack, `${verb} run ${run} of ${plan.stack}?`);
  }
  const said = reason === undefined ? {} : { reason };
  // The plan that was shown, and no other; and only if nobody decided meanwhile.
  return tellDecided(await client.decide(run, { decision, plan: plan.hash, etag, ...said }), terminal);
}
