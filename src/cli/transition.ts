import type { PlanDeps } from '../actions/plan.ts';
import { requireSaid } from '../actions/require-said.ts';
import type { RollbackDeps, RollbackOptions, RollbackResult } from '../actions/rollback.ts';
import { type Composition, planDepsOf, runDepsOf } from '../compose.ts';
import { BackstayError } from '../errors/index.ts';
import type { PlanOptions } from '../model/index.ts';
import type { ClusterIdentity, Lock } from '../ports/index.ts';
import type { Invocation } from './commands.ts';
import { confirmByName } from './confirm.ts';
import { abandonOf, durationMsOf, textOf, triggerOf } from './plan-options.ts';
import { type Tellable, tellPlan } from './plan-source.ts';
import { renderPlan } from './render/plan.ts';
import { reporterOf, tellEnd } from './run-output.ts';
import { stopSignals } from './signals.ts';
import { withStack } from './with-stack.ts';

/** One verb's own part of the way from what was typed to the end of a run. */
export interface Transition {
  readonly stack: string;
  /** Begins a sentence about it: `A rollback of shop`. */
  readonly what: string;
  readonly options: PlanOptions;
  /** The plan is read from a file, which has said why already. */
  readonly said?: true;
  readonly plan: (planning: Planning) => Promise<Planned>;
  /** Where: `production (https://10.0.0.1:6443)`. */
  readonly question: (where: string) => string;
  /** @default `rollback` of actions/ */
  readonly run?: (options: RollbackOptions, deps: RollbackDeps) => Promise<RollbackResult>;
}

export interface Planning {
  readonly composition: Composition;
  readonly deps: PlanDeps;
  /** Refuses when another run left the stack half way; asked before anything is shown. Nothing in a dry run. */
  readonly requireFinished: (lock?: () => Promise<Lock>) => Promise<void>;
}

export type Planned =
  | Extract<Tellable, { kind: 'nothing-to-do' }>
  | (Extract<Tellable, { kind: 'planned' }> & {
      readonly identity: Pick<ClusterIdentity, 'context' | 'server'>;
      /** Said to the person beside the plan. */
      readonly warnings?: readonly string[];
    });

/**
 * Asks for what has to be said, plans, shows, asks for a yes, runs, and tells the end: the same for every verb, so that none
 * of them passes over a policy. Returns the exit code.
 */
export async function carryAcross(invocation: Invocation, transition: Transition): Promise<number> {
  const { options, terminal } = invocation;
  const { what, question } = transition;
  const dryRun = options['dryRun'] === true;
  const out = textOf(options['out']);
  const trigger = triggerOf(options);
  const abandon = abandonOf(options);
  const readyTimeoutMs = durationMsOf(textOf(options['timeout']), '--timeout');
  if (out !== undefined && !dryRun)
    throw new BackstayError('USAGE', '--out writes a plan for later: it goes with --dry-run.');
  const work = async (composition: Composition): Promise<number> => {
    const { stack, clock } = composition;
    if ((!dryRun || out !== undefined) && transition.said !== true) requireSaid(stack, transition.options, what);
    if (!dryRun && options['yes'] !== true && !terminal.stdinIsTty)
      throw new BackstayError('CONFIRMATION_NEEDED', `${what} needs a yes, and there is no terminal to ask.`);
    const { requireFinished } = await import('../actions/unfinished.ts');
    const planned = await transition.plan({
      composition,
      deps: await planDepsOf(composition),
      requireFinished: async (lockOf = async () => await composition.lock()) => {
        if (dryRun) return;
        const [lock, journal] = await Promise.all([lockOf(), composition.journal()]);
        await requireFinished({ stack: stack.name, ...abandon }, { lock, journal, clock });
      },
    });
    if (dryRun || planned.kind === 'nothing-to-do') {
      await tellPlan(planned, out, composition, terminal);
      return 0;
    }
    const { plan, identity, warnings = [] } = planned;
    terminal.note(renderPlan(plan, terminal.err));
    for (const warning of warnings) terminal.note(terminal.err.warn(warning));
    if (options['yes'] !== true)
      await confirmByName(
        terminal,
        stack.name,
        question(`${identity.context ?? 'the current context'} (${identity.server})`),
      );
    const run = transition.run ?? (await import('../actions/rollback.ts')).rollback;
    const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
    try {
      const wait = options['wait'] === true;
      const ended = await run(
        { plan, trigger, wait, ...abandon, signal: signals.stop, abort: signals.abort },
        await runDepsOf(composition, reporterOf(invocation)),
      );
      return ended.kind === 'nothing-to-do' ? ended.exitCode : tellEnd(ended, invocation);
    } finally {
      signals.release();
    }
  };
  return await withStack(invocation, transition.stack, work, readyTimeoutMs === undefined ? {} : { readyTimeoutMs });
}
