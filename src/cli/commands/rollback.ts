import type { RunEnded } from '../../actions/rollback.ts';
import { BackstayError } from '../../errors/index.ts';
import { openJournal } from '../../compose.ts';
import { shortId } from '../../model/index.ts';
import type { Reporter } from '../../ports/index.ts';
import { renderChoices, withChoices } from '../choices.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import { planDepsOf, runDepsOf } from '../deps.ts';
import {
  abandonOf,
  durationMsOf,
  onInvalidOf,
  planOptionsOf,
  requireSaid,
  scopeOf,
  targetOf,
  textOf,
  triggerOf,
} from '../plan-options.ts';
import { planFileOf, planFromFile, tellPlan } from '../plan-source.ts';
import { renderPlan } from '../render/plan.ts';
import { progressReporter } from '../render/progress.ts';
import { duration } from '../render/time.ts';
import { stopSignals } from '../signals.ts';
import { withStack } from '../with-stack.ts';

export const rollback: CommandRun = async (invocation) => await takeTo(invocation, true);

/** The same transition with nothing called failing: for a release, or for making a stack from manifests. */
export const apply: CommandRun = async (invocation) => await takeTo(invocation, false);

async function takeTo(invocation: Invocation, hold: boolean): Promise<number> {
  const { args, options, terminal } = invocation;
  if (options['listVersions'] === true) return await listVersions(invocation);
  const scope = scopeOf(textOf(options['scope']));
  const planOptions = planOptionsOf(options, hold);
  const target = targetOf(options);
  const out = textOf(options['out']);
  const [planFile, replan] = planFileOf(options);
  const onInvalid = onInvalidOf(options);
  const abandon = abandonOf(options);
  const trigger = triggerOf(options);
  const readyTimeoutMs = durationMsOf(textOf(options['timeout']), '--timeout');
  const dryRun = options['dryRun'] === true;
  const [{ planRollback }, { rollback: run }, { requireFinished }] = await Promise.all([
    import('../../actions/plan.ts'),
    import('../../actions/rollback.ts'),
    import('../../actions/unfinished.ts'),
  ]);
  return await withStack(
    invocation,
    args[0] ?? '',
    async (composition) => {
      const { stack } = composition;
      if (out !== undefined && !dryRun)
        throw new BackstayError('USAGE', '--out writes a plan for later: it goes with --dry-run.');
      if ((!dryRun || out !== undefined) && planFile === undefined) requireSaid(stack, planOptions);
      if (!dryRun && options['yes'] !== true && !terminal.stdinIsTty) {
        throw new BackstayError(
          'CONFIRMATION_NEEDED',
          `A rollback of ${stack.name} needs a yes, and there is no terminal to ask.`,
        );
      }
      const deps = await planDepsOf(composition);
      if (!dryRun) {
        const [lock, journal] = await Promise.all([composition.lock(), composition.journal()]);
        await requireFinished({ stack: stack.name, ...abandon }, { lock, journal, clock: composition.clock });
      }
      const made =
        planFile === undefined
          ? await withChoices(
              terminal,
              async () => await planRollback({ target, scope, options: planOptions, ...onInvalid }, deps),
            )
          : undefined;
      if (dryRun && made !== undefined) {
        await tellPlan(made, out, composition, terminal);
        return 0;
      }
      const planned = made ?? (await planFromFile({ file: planFile ?? '', replan, hold }, composition, deps, terminal));
      if (planned.kind === 'nothing-to-do') {
        terminal.result('Rollback', { kind: planned.kind, outcome: planned.kind, target: planned.target.id }, () =>
          terminal.out.good(`nothing to do: ${stack.name} is at ${shortId(planned.target.id)}`),
        );
        return 0;
      }
      const { plan } = planned;
      if (dryRun) {
        terminal.result(
          'Plan',
          { ...plan },
          () => `${renderPlan(plan, terminal.out)}\n${terminal.out.dim('dry run: nothing was changed')}`,
        );
        return 0;
      }
      terminal.note(renderPlan(plan, terminal.err));
      const { context, server } = planned.inventory.identity;
      if (options['yes'] !== true) {
        await confirmByName(
          terminal,
          stack.name,
          `Roll back ${stack.name} on ${context ?? 'the current context'} (${server})?`,
        );
      }
      const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
      try {
        const ended = await run(
          { plan, trigger, wait: options['wait'] === true, ...abandon, signal: signals.stop, abort: signals.abort },
          await runDepsOf(composition, reporterOf(invocation)),
        );
        if (ended.kind === 'nothing-to-do') return ended.exitCode;
        return tellEnd(ended, invocation);
      } finally {
        signals.release();
      }
    },
    readyTimeoutMs === undefined ? {} : { readyTimeoutMs },
  );
}

export const resume: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const [id = ''] = args;
  const stack = await stackOf(id, invocation);
  const { resume: run } = await import('../../actions/resume.ts');
  return await withStack(invocation, stack, async (composition) => {
    if (options['yes'] !== true) await confirmByName(terminal, stack, `Go on with run ${id} of ${stack}?`);
    const signals = stopSignals(invocation.process, (line) => terminal.note(terminal.err.warn(line)));
    try {
      const deps = await runDepsOf(composition, reporterOf(invocation));
      const wait = options['wait'] === true;
      return tellEnd(await run({ run: id, wait, signal: signals.stop, abort: signals.abort }, deps), invocation);
    } finally {
      signals.release();
    }
  });
};

export async function stackOf(run: string, { terminal }: Invocation): Promise<string> {
  const { stackOfRun } = await import('../../actions/history.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    return await stackOfRun(run, opened);
  } finally {
    await opened.close();
  }
}

async function listVersions(invocation: Invocation): Promise<number> {
  const { args, terminal } = invocation;
  const { listTargets } = await import('../../actions/targets.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { choices, damaged } = await listTargets(await planDepsOf(composition));
    terminal.result('TargetList', { items: choices, damaged }, () => renderChoices(choices, { err: terminal.out }));
    return 0;
  });
}

/** Lines on stderr for people; with `jsonl` every event as one object on stdout. */
export function reporterOf({ terminal, globals }: Invocation): Reporter {
  if (terminal.format === 'jsonl')
    return { report: (event) => terminal.line({ apiVersion: 'backstay.dev/v1', kind: 'RunEvent', ...event }) };
  if (globals.quiet === true) return { report: () => undefined };
  const startedAt = Date.now();
  return progressReporter(
    (line) => terminal.note(line),
    terminal.err,
    () => startedAt,
  );
}

export function tellEnd(ended: RunEnded, { terminal }: Invocation): number {
  const { report, ...rest } = ended;
  terminal.result(
    'Rollback',
    { ...rest, ...(report ? { report: report.paths, downtime: report.report.downtime } : {}) },
    () => {
      const { out } = terminal;
      const good = ended.exitCode === 0;
      return [
        `${good ? out.good(ended.outcome) : ended.outcome === 'waiting' ? out.warn(ended.outcome) : out.bad(ended.outcome)}  run ${ended.run}  ${duration(ended.durationMs)}`,
        ...(ended.reason === undefined ? [] : [`  ${ended.reason}`]),
        ...(ended.next === undefined ? [] : [`  ${out.bold('next:')} ${ended.next}`]),
        ...(ended.undo === undefined
          ? []
          : [ended.next === undefined ? `  undo    ${ended.undo}` : `    ${out.bold('or:')} ${ended.undo}`]),
        ...(ended.outcome === 'waiting'
          ? []
          : report === undefined
            ? [`  the report could not be written: ${ended.reportProblem ?? ''}`]
            : [
                ...(report.downtime === undefined ? [] : [`  downtime  ${report.downtime}`]),
                `  report  ${report.paths.markdown}`,
                `          ${report.paths.html}`,
              ]),
      ].join('\n');
    },
  );
  return ended.exitCode;
}
