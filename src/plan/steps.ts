import {
  type CheckSetting,
  declaredOrder,
  displayName,
  type HookSetting,
  type NamedScope,
  type ObjectKey,
  PHASES,
  type Phase,
  type Risk,
  type Step,
  type StepAction,
} from '../model/index.ts';
import type { PlanInput } from './make-plan.ts';
import { forcedAfter, forcedBefore, forcesAlone } from './force-steps.ts';
import { freezing, releasing } from './hold-steps.ts';
import { keepsFromReturning } from './return.ts';
import {
  backingUpTogether,
  bringingBack,
  givesBackAlone,
  opening,
  provingTogether,
  quiescing,
} from './quiesce-steps.ts';
import { riskOfChanges } from './risk.ts';
import { isOfRunbook } from './runbook.ts';
import { migrating, safeguarding } from './migration-steps.ts';
import {
  backingUpBeforeInPlace,
  exchanging,
  exchangingBack,
  keepingNew,
  restoringBeside,
  restoringInPlace,
} from './store-steps.ts';

/** Own steps come before the stack's hooks of the same phase. */
export function planSteps(input: PlanInput): readonly Step[] {
  const { changes, restores = [], migrations = [], exchanged = [] } = input;
  const data = restores.length + migrations.length + exchanged.length + (input.backups ?? []).length;
  if (changes.length === 0 && data === 0 && !forcesAlone(input) && !givesBackAlone(input))
    return input.undoes === undefined ? [] : releaseOnly(input.undoes);
  const all = PHASES.flatMap((phase) => [...ownSteps(phase, input), ...hookSteps(phase, input)]);
  const steps = input.options.databaseLease === undefined ? all : all.filter(doesWithoutCluster);
  return unique(keepsFromReturning({ ...input, steps }).length > 0 ? steps : steps.map(withReturn));
}

/** What acts on data alone, or outside of the cluster. */
function doesWithoutCluster({ action }: Step): boolean {
  if (action.kind === 'hook') return canDoWithoutCluster(action.hook);
  return action.kind === 'lease' || action.kind.startsWith('db-');
}

function canDoWithoutCluster({ action, reverse }: HookSetting): boolean {
  return [action, ...(reverse === undefined ? [] : [reverse])].every(
    (one) => one.kind !== 'restart' && !(one.kind === 'http' && one.target.via !== undefined),
  );
}

/** `apply` and `prune` are taken back together, by one more transition within the run. */
function withReturn(step: Step): Step {
  const { kind } = step.action;
  return kind === 'apply' || kind === 'prune' ? { ...step, reverse: { kind: 'return-before' } } : step;
}

/** Live is where the undone run began: nothing is left but what that run holds. */
function releaseOnly(run: string): readonly Step[] {
  return [stepsOf('locked')('lease', 'Take the lease of the stack', { kind: 'lease' }), releaseStep(run)];
}

function releaseStep(run: string): Step {
  const title = `Let go of what run ${run} holds, and record that it is undone`;
  return stepsOf('completed')('release-hold', title, { kind: 'release-hold', run }, 'low');
}

function ownSteps(phase: Phase, input: PlanInput): readonly Step[] {
  const { changes, options, restores = [], migrations = [], exchanged = [], undoes = '' } = input;
  const step = stepsOf(phase);
  const deletions = changes.filter(({ action }) => action === 'delete').map(({ key }) => key);
  switch (phase) {
    case 'locked': {
      return [
        step('lease', 'Take the lease of the stack', { kind: 'lease' }),
        ...(isOfRunbook(input) && !options.emergency
          ? [step('confirm-context', contextTitle(input), { kind: 'confirm-context' })]
          : []),
      ];
    }
    case 'frozen':
      return freezing(input).map((part) => ({ phase, destructive: false, ...part }));
    case 'safeguarded': {
      const names = checkNames('before', input);
      const ask = !options.emergency && names.length > 0;
      return [
        // A release that is wanted leaves no failing version behind.
        ...(options.hold ? [evidenceStep(input)] : []),
        step('snapshot-before', 'Capture what is live, so that there is a way back', { kind: 'snapshot-before' }),
        ...(ask
          ? [
              step('checks-before', `Ask ${count(names.length, 'check')} before anything acts`, {
                kind: 'checks',
                when: 'before',
                names,
              }),
            ]
          : []),
        ...[...safeguarding(migrations), ...restoringBeside(restores)].map((part) => ({ phase, ...part })),
      ];
    }
    case 'restored':
      return [
        ...migrating(migrations),
        ...keepingNew(restores),
        ...exchanging(restores),
        ...restoringInPlace(restores),
        ...exchangingBack(undoes, exchanged),
      ].map((part) => ({
        phase,
        ...part,
      }));
    case 'applied': {
      if (changes.length === 0 && !forcesAlone(input)) return [];
      const applied = changes.filter(({ action }) => action !== 'delete');
      const replaces = applied.some(({ action }) => action === 'replace');
      return [
        ...forcedBefore(input).map((part) => ({ phase, ...part })),
        ...(applied.length > 0
          ? [
              {
                ...applyStep(applied, input),
                destructive: replaces,
              },
            ]
          : []),
        ...(deletions.length > 0 ? [pruneStep(deletions, input)] : []),
        ...forcedAfter(input).map((part) => ({ phase, ...part })),
        step('prove-equal', 'Prove that every object in scope equals the target', { kind: 'prove-equal' }),
      ];
    }
    case 'quiesced':
      return [
        ...quiescing(input.quiesce, input.maintenance),
        ...backingUpTogether(input.backups),
        ...backingUpBeforeInPlace(restores),
      ].map((part) => ({
        phase,
        ...part,
      }));
    case 'resumed':
      return [
        ...bringingBack(input.quiesce).map((part) => ({ phase, ...part })),
        ...releasing(input).map((part) => ({ phase, destructive: false, ...part })),
        ...opening(input.maintenance).map((part) => ({ phase, ...part })),
      ];
    case 'validated': {
      const names = askedAfter(input);
      if (names.length === 0) return [];
      return [
        step('checks-after', `Validate with ${count(names.length, 'check')}`, { kind: 'checks', when: 'after', names }),
      ];
    }
    case 'completed':
      return [
        ...provingTogether(input.backups).map((part) => ({ phase, ...part })),
        step('record-after', 'Record what was reached', { kind: 'record-after' }),
        ...(input.undoes === undefined ? [] : [releaseStep(input.undoes)]),
      ];
    default:
      return [];
  }
}

const stepsOf =
  (phase: Phase) =>
  (id: string, title: string, action: StepAction, risk: Risk = 'none'): Step => ({
    id,
    phase,
    title,
    action,
    risk,
    destructive: false,
  });

function evidenceStep({ stack, options }: PlanInput): Step {
  const { limitMs, emergencyLimitMs, limitBytes, logLines } = stack.evidence;
  const ms = options.emergency ? emergencyLimitMs : limitMs;
  const kept = stack.metrics === undefined ? 'logs, events and objects' : 'logs, events, objects and metrics';
  const title = `Keep ${kept} of what is live as evidence`;
  return stepsOf('safeguarded')('evidence', title, { kind: 'evidence', limitMs: ms, limitBytes, logLines });
}

function applyStep(changes: PlanInput['changes'], { stack, desired }: PlanInput): Step {
  const changing = new Set(changes.map(({ key }) => key));
  const order = declaredOrder(desired, stack.order).filter((key) => changing.has(key));
  const risk = riskOfChanges(changes);
  // One alone waits for nobody.
  if (order.length < 2) return stepsOf('applied')('apply', applyTitle(changes), { kind: 'apply' }, risk);
  const title = `${applyTitle(changes)}, one after another: ${order.map(displayName).join(', ')}`;
  return stepsOf('applied')('apply', title, { kind: 'apply', order }, risk);
}

function pruneStep(objects: readonly ObjectKey[], { changes }: PlanInput): Step {
  const deleted = changes.filter(({ action }) => action === 'delete');
  const title = `Delete ${count(objects.length, 'object')} that the target does not have`;
  return {
    ...stepsOf('applied')('prune', title, { kind: 'prune', objects }, riskOfChanges(deleted)),
    destructive: true,
  };
}

function hookSteps(phase: Phase, input: PlanInput): readonly Step[] {
  const { stack, options } = input;
  return (
    stack.hooks
      .filter((hook) => hook.phase === phase && concerns(hook.scopes, input))
      // A release that goes well leaves nothing to follow up.
      .filter(({ action }) => action.kind !== 'ticket' || options.hold)
      .map((hook) => ({
        ...stepsOf(phase)(`hook:${hook.name}`, hookTitle(hook), { kind: 'hook', hook }, hookRisk(hook)),
        ...(hook.reverse === undefined ? {} : { reverse: reverseOf(hook, hook.reverse) }),
        destructive: phase === 'restored',
      }))
  );
}

function reverseOf(hook: HookSetting, action: HookSetting['action']): StepAction {
  const { reverse: _, ...rest } = hook;
  return { kind: 'hook', hook: { ...rest, name: `${hook.name} (back)`, action } };
}

function hookTitle({ name, action }: HookSetting): string {
  switch (action.kind) {
    case 'http':
      return `${name}: ${action.method} ${action.target.url}`;
    case 'command':
      return `${name}: run ${action.command[0] ?? ''}`;
    case 'restart':
      return `${name}: restart ${action.workloads.join(', ')}`;
    case 'announce':
      return `${name}: announce${action.channel === undefined ? '' : ` in ${action.channel}`}`;
    case 'ticket':
      return `${name}: open a ticket in ${action.repository}`;
  }
}

/** A hook that touches data is as risky as data; one that only tells is not risky at all. */
function hookRisk({ phase, action }: HookSetting): Risk {
  if (phase === 'restored') return 'high';
  if (action.kind === 'announce' || action.kind === 'ticket') return 'none';
  return action.kind === 'restart' ? 'medium' : 'low';
}

type Concerning = Pick<PlanInput, 'stack' | 'scope' | 'options' | 'restores' | 'migrations' | 'exchanged'>;

/**
 * Workloads named one by one are a part of the application: what is meant for that scope is meant for them. `full` holds
 * every other scope, that of the data stores only where the plan moves their data.
 */
function concerns(scopes: readonly NamedScope[] | undefined, { scope, ...data }: Concerning): boolean {
  if (scopes === undefined) return true;
  const { restores = [], migrations = [], exchanged = [] } = data;
  const moves = restores.length + migrations.length + exchanged.length > 0;
  if (scope.kind === 'full') return moves || scopes.some((one) => one !== 'database');
  return scopes.includes(scope.kind === 'workloads' ? 'application' : scope.kind);
}

/** After a run every check is asked; before it those that say so, as evidence, or every one when it was asked for. */
function checkNames(when: 'before' | 'after', input: Concerning): readonly string[] {
  const { stack, options } = input;
  const asked = (check: CheckSetting): boolean =>
    when === 'after' || options.validateBefore || check.when.includes('before');
  return stack.checks.filter((check) => asked(check) && concerns(check.scopes, input)).map(({ name }) => name);
}

/** Checks by name that a run asks at its target: what proves that it works there. */
export function askedAfter(input: Concerning): readonly string[] {
  return input.options.skipValidation ? [] : checkNames('after', input);
}

function contextTitle({ stack }: PlanInput): string {
  const { anyOf, dependencies } = stack.context;
  const parts = [
    ...(anyOf.length > 0 ? [`one of ${anyOf.join(', ')} is firing`] : []),
    ...(dependencies.length > 0 ? [`${dependencies.join(', ')} ${dependencies.length === 1 ? 'passes' : 'pass'}`] : []),
  ];
  return `Confirm that ${parts.join(' and that ')}`;
}

function applyTitle(changes: PlanInput['changes']): string {
  const verbs = {
    create: 'create',
    update: 'update',
    replace: 'replace',
    restart: 'restart',
    delete: 'delete',
  } as const;
  const parts = (['create', 'update', 'replace', 'restart'] as const).flatMap((action) => {
    const found = changes.filter((change) => change.action === action).length;
    return found === 0 ? [] : [`${verbs[action]} ${found}`];
  });
  const text = parts.join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} by one update of the engine`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Two hooks may have one name in two phases; a journal needs one id a step. */
function unique(steps: readonly Step[]): readonly Step[] {
  const seen = new Map<string, number>();
  return steps.map((step) => {
    const times = (seen.get(step.id) ?? 0) + 1;
    seen.set(step.id, times);
    return times === 1 ? step : { ...step, id: `${step.id}#${times}` };
  });
}
