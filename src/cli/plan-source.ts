import { resolve } from 'node:path';
import { adoptPlan, comparePlans, readPlan, requireUnmoved, writePlan } from '../actions/plan-file.ts';
import { type PlanDeps, planRollback, type PlanResult } from '../actions/plan.ts';
import type { Composition } from '../compose.ts';
import { BackstayError } from '../errors/index.ts';
import { type Digest, type Plan, shortId, type Stack } from '../model/index.ts';
import type { PrivateFiles } from '../ports/index.ts';
import type { Terminal } from './output.ts';
import { textOf } from './plan-options.ts';
import { renderDifferences, renderMoved, renderPlan } from './render/plan.ts';

/** Flags that say what a plan is: a plan file has said that already. */
const OF_THE_PLAN = [
  'to',
  'targetVersion',
  'scope',
  'emergency',
  'immediate',
  'reason',
  'incident',
  'severity',
  'breakGlass',
  'onInvalid',
  'skipValidation',
  'validateBefore',
  'exactReplicas',
  'take',
  'deleteProtected',
  'allowUnsigned',
  'allowClusterMismatch',
  'allowUnknownImages',
  'allowHeld',
  'forceReplace',
  'forcePods',
  'forceFinalizers',
  'scenario',
  'restore',
  'skipDatabaseBackup',
  'acceptDataLoss',
];

/** `--plan` and whether `--replan` goes with it. */
export function planFileOf(options: Readonly<Record<string, unknown>>): readonly [string | undefined, boolean] {
  const file = textOf(options['plan']);
  const replan = options['replan'] === true;
  if (file === undefined && replan) throw new BackstayError('USAGE', '--replan goes with --plan FILE.');
  const given = file === undefined ? [] : OF_THE_PLAN.filter((name) => options[name] !== undefined);
  if (given.length === 0) return [file, replan];
  const flags = given.map((name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new BackstayError('USAGE', `--plan says everything that is done; ${flags.join(', ')} cannot change it.`, {
    next: 'Leave it out, or write another plan with --dry-run --out FILE.',
  });
}

/** Exactly the file's plan; or, with `replan` and where live moved, a new one to the same end, whose differences are told. */
export async function planFromFile(
  { file, replan, hold }: { readonly file: string; readonly replan: boolean; readonly hold: boolean },
  { files }: Pick<Composition, 'files'>,
  deps: PlanDeps,
  terminal: Terminal,
): Promise<
  | Extract<PlanResult, { kind: 'nothing-to-do' }>
  | {
      readonly kind: 'planned';
      readonly plan: Plan;
      readonly inventory: { readonly identity: { readonly context?: string; readonly server: string } };
    }
> {
  const plan = await readPlan(resolve(terminal.cwd, file), files);
  const adopted = await adoptPlan(plan, { hold }, deps);
  const { moved, identity } = adopted;
  if (moved.length === 0) return { kind: 'planned', plan, inventory: { identity } };
  terminal.note(renderMoved(moved, terminal.err));
  if (!replan) requireUnmoved(adopted);
  const { scope, options, onInvalid } = plan;
  const again = await planRollback(
    { target: plan.target.id, scope, options, ...(onInvalid === undefined ? {} : { onInvalid }) },
    deps,
  );
  if (again.kind === 'planned')
    terminal.note(renderDifferences(plan, again.plan, comparePlans(plan, again.plan), terminal.err));
  return again;
}

/** As much of what came of planning as is told. */
export type Tellable =
  | { readonly kind: 'nothing-to-do'; readonly target: { readonly id: Digest } }
  | { readonly kind: 'planned'; readonly plan: Plan };

/** What a dry run tells, with the plan file where one is wanted. */
export async function tellPlan(
  planned: Tellable,
  out: string | undefined,
  { stack, files }: { readonly stack: Pick<Stack, 'name'>; readonly files: PrivateFiles },
  terminal: Terminal,
): Promise<void> {
  if (planned.kind === 'nothing-to-do') {
    const { kind, target } = planned;
    terminal.result('Rollback', { kind, outcome: kind, target: target.id }, () =>
      terminal.out.good(`nothing to do: ${stack.name} is at ${shortId(target.id)}`),
    );
    return;
  }
  const { plan } = planned;
  const file = out === undefined ? undefined : resolve(terminal.cwd, out);
  if (file !== undefined) await writePlan(file, plan, files);
  terminal.result('Plan', { ...plan, ...(file === undefined ? {} : { file }) }, () => {
    const verb = plan.options.hold ? 'rollback' : 'apply';
    const next =
      file === undefined ? [] : [`${terminal.out.bold('next:')} backstay ${verb} ${stack.name} --plan ${file}`];
    return [renderPlan(plan, terminal.out), terminal.out.dim('dry run: nothing was changed'), ...next].join('\n');
  });
}
