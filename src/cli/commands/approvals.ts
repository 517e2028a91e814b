import type { ApproveDeps } from '../../actions/approve.ts';
import { type Composition, openJournal } from '../../compose.ts';
import { BackstayError } from '../../errors/index.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { textOf } from '../plan-options.ts';
import { renderPlan } from '../render/plan.ts';
import { tellApprovals, tellDecided } from '../render/runs.ts';
import { withStack } from '../with-stack.ts';
import { reporterOf, stackOf } from '../run-output.ts';

export const approve: CommandRun = async (invocation) => await decide(invocation, 'approved');

export const deny: CommandRun = async (invocation) => await decide(invocation, 'denied');

async function decide(invocation: Invocation, decision: 'approved' | 'denied'): Promise<number> {
  const { args, options, terminal } = invocation;
  const [run = ''] = args;
  const [reason, plan] = [textOf(options['reason']), textOf(options['plan'])];
  if (decision === 'denied' && (reason ?? '').trim() === '')
    throw new BackstayError('USAGE', 'A denial needs --reason: it is what the requester reads.');
  const asked = { run, ...(plan === undefined ? {} : { plan }) };
  const actions = await import('../../actions/approve.ts');
  return await withStack(invocation, await stackOf(run, invocation), async (composition) => {
    const deps = await approveDepsOf(composition, invocation);
    const review = await actions.reviewApproval(asked, deps);
    terminal.note(renderPlan(review.plan, terminal.err));
    const { user, host } = review.requestedBy;
    terminal.note(
      `${terminal.err.bold(review.need.severity)}: asked for by ${user} on ${host}; you decide as ${review.role}`,
    );
    if (options['yes'] !== true) {
      const verb = decision === 'approved' ? 'Approve' : 'Deny';
      await confirmByName(terminal, composition.stack.name, `${verb} run ${run} of ${composition.stack.name}?`);
    }
    // The plan that was shown, and no other.
    const seen = review.plan.hash;
    const done = await actions.approve(
      { run, decision, plan: seen, ...(reason === undefined ? {} : { reason }) },
      deps,
    );
    return tellDecided(done, terminal);
  });
}

export const approvals: CommandRun = async ({ args, terminal }) => {
  const { listApprovals } = await import('../../actions/approve.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    return tellApprovals(await listApprovals(args[0], opened), terminal);
  } finally {
    await opened.close();
  }
};

async function approveDepsOf(composition: Composition, invocation: Invocation): Promise<ApproveDeps> {
  const { stack, by, journalName, clock } = composition;
  return { stack, by, journalName, clock, journal: await composition.journal(), reporter: reporterOf(invocation) };
}
