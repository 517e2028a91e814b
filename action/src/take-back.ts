import { attendRun, type RunSeen, type ServiceClient } from '../../src/client/index.ts';
import { progressReporter } from '../../src/cli/render/progress.ts';
import { renderPlan } from '../../src/cli/render/plan.ts';
import { styleOf } from '../../src/cli/render/style.ts';
import type { Plan } from '../../src/model/index.ts';
import type { Inputs } from './inputs.ts';
import type { Runner } from './runner.ts';

export interface Taken {
  readonly outcome: string;
  readonly exitCode: number;
}

const PLAIN = styleOf(false);

/** Plans, shows, starts, tells, and gives the run's own exit code. The first stop asks the service to stop the run. */
export async function takeBack(
  { stack, target, scope, options, dryRun, wait }: Inputs,
  { client, runner, stop }: { readonly client: ServiceClient; readonly runner: Runner; readonly stop: AbortSignal },
): Promise<Taken> {
  const planned = await client.plan(stack, { target, scope, options }, stop);
  if (planned.kind === 'nothing-to-do') {
    await runner.summary(`## ${stack}: nothing to do\n\nIt is at \`${planned.target.id}\` already.`);
    return await told({ outcome: 'nothing-to-do', exitCode: 0 }, runner);
  }
  const { plan } = planned;
  await runner.output('plan', plan.hash);
  await showPlan(plan, runner);
  if (dryRun) return await told({ outcome: 'planned', exitCode: 0 }, runner);
  const started = await client.start({ plan: plan.hash, trigger: 'pipeline' });
  if ('kind' in started) return await told({ outcome: started.kind, exitCode: 0 }, runner);
  const { run } = started;
  await runner.output('run', run);
  const seen = (await follow({ run, wait }, { client, runner, stop })) ?? (await client.run(run));
  await showEnd(seen, { client, runner });
  const { carried } = seen;
  if (seen.outcome === undefined && carried?.stuck === true) {
    runner.error('Stuck', `The service cannot go on with run ${run}. ${carried.problem?.message ?? ''}`);
    return await told({ outcome: 'unfinished', exitCode: 1 }, runner);
  }
  const { outcome = 'waiting' } = seen;
  return await told({ outcome, exitCode: seen.exitCode ?? WAITS }, runner);
}

/** What the command line exits with where an approval is needed. */
const WAITS = 6;

async function told(taken: Taken, runner: Runner): Promise<Taken> {
  await runner.output('outcome', taken.outcome);
  await runner.output('exit_code', String(taken.exitCode));
  return taken;
}

async function showPlan(plan: Plan, runner: Runner): Promise<void> {
  const text = renderPlan(plan, PLAIN);
  runner.line(text);
  await runner.summary(`## ${plan.stack}: the plan\n\n\`\`\`text\n${text.replaceAll('```', "'''")}\n\`\`\``);
}

async function follow(
  { run, wait }: { readonly run: string; readonly wait: boolean },
  { client, runner, stop }: { readonly client: ServiceClient; readonly runner: Runner; readonly stop: AbortSignal },
): Promise<RunSeen | undefined> {
  const reporter = progressReporter((line) => runner.line(line), PLAIN);
  const onStop = (): void => {
    runner.warning(`The job was stopped: the service is asked to stop run ${run} after the step under way.`);
    client.cancel(run, 'the job that started it was cancelled').catch((error: unknown) => {
      runner.warning(`It could not be asked: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  if (stop.aborted) onStop();
  else stop.addEventListener('abort', onStop, { once: true });
  try {
    return await attendRun(client, {
      run,
      untilWaiting: !wait,
      onEvent: (event) => reporter.report(event),
      onLost: (because) => runner.warning(because),
    });
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

async function showEnd(
  { run, outcome, next, undo }: RunSeen,
  { client, runner }: { readonly client: ServiceClient; readonly runner: Runner },
): Promise<void> {
  const ways = [
    ...(next === undefined ? [] : [`next: \`${next}\``]),
    ...(undo === undefined ? [] : [`undo: \`${undo}\``]),
  ];
  const report = outcome === undefined ? '' : await client.report(run, 'markdown').catch(() => '');
  await runner.summary(`## Run ${run}: ${outcome ?? 'not over'}\n\n${ways.join('\n\n')}\n\n${report}`);
}
