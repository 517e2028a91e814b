import {
  type Change,
  type ChangeAction,
  displayName,
  expectedTotal,
  type FieldChange,
  type Json,
  type Plan,
  shortId,
} from '../../model/index.ts';
import type { Moved } from '../../actions/plan-file.ts';
import { renderScenarios } from './scenarios.ts';
import type { Style } from './style.ts';
import { duration } from './time.ts';

const MARK: Record<ChangeAction, string> = { create: '+', update: '~', replace: '±', delete: '-', restart: '↻' };
/** Longer values are cut in the middle of a terminal line; the whole is in `--output json`. */
const VALUE_LIMIT = 100;

/** The difference and the steps, as a person reads them before saying yes. */
export function renderPlan(plan: Plan, style: Style, options: { readonly steps: boolean } = { steps: true }): string {
  const lines: string[] = [];
  const scope = plan.scope.kind === 'workloads' ? plan.scope.names.join(', ') : plan.scope.kind;
  const labels = plan.target.labels.length > 0 ? ` (${plan.target.labels.join(', ')})` : '';
  lines.push(
    `${style.bold(plan.stack)} → ${style.bold(shortId(plan.target.id))}${labels}  scope ${scope}  risk ${risk(plan.risk, style)}`,
  );
  lines.push('', style.bold('What changes'));
  const data = plan.steps.flatMap((step) => renderDataStep(step, style));
  if (plan.changes.length === 0 && data.length === 0) lines.push('  nothing');
  lines.push(...data);
  for (const change of plan.changes) lines.push(...renderChange(change, style));
  lines.push(...renderScenarios(plan, style));
  if (options.steps) {
    lines.push('', style.bold('What will be done'));
    const width = Math.max(...plan.steps.map((step) => step.phase.length), 0);
    for (const step of plan.steps) {
      const flag = step.destructive ? style.bad('  destructive') : '';
      lines.push(`  ${style.dim(step.phase.padEnd(width))}  ${step.title}${flag}`);
      const about = aboutStep(step, style);
      if (about !== '') lines.push(`  ${' '.repeat(width)}  ${about}`);
      if (step.dataLoss !== undefined)
        lines.push(`  ${' '.repeat(width)}  ${style.warn(`may be lost: ${step.dataLoss}`)}`);
    }
  }
  const takes = expectedTotal(plan.steps);
  if (options.steps && takes !== undefined)
    lines.push('', `Takes about ${duration(takes.ms)}, from ${takes.runs} run${takes.runs === 1 ? '' : 's'} before.`);
  if (options.steps && plan.onInvalid === 'return')
    lines.push('', 'When the checks fail, the run returns to what was before by itself.');
  if (options.steps) lines.push(...renderPolicy(plan, style));
  for (const warning of plan.warnings) lines.push('', `${style.warn('warning')}  ${warning}`);
  lines.push('', style.dim(`plan ${shortId(plan.hash)}`));
  return lines.join('\n');
}

/** Risk, time and way back of a step; nothing of steps that only look. */
function aboutStep(step: Plan['steps'][number], style: Style): string {
  const takes = step.expected === undefined ? [] : [`about ${duration(step.expected.ms)}`];
  if (step.risk === 'none') return takes.length === 0 ? '' : style.dim(takes.join(''));
  const back =
    step.reverse === undefined ? 'cannot be taken back by itself' : `taken back by: ${reverseInWords(step.reverse)}`;
  return [`${risk(step.risk, style)} risk`, ...[...takes, back].map((text) => style.dim(text))].join(style.dim(' · '));
}

function reverseInWords(action: NonNullable<Plan['steps'][number]['reverse']>): string {
  if (action.kind === 'hook') return action.hook.name;
  if (action.kind === 'return-before') return 'a return to what was before';
  return action.kind.replaceAll('-', ' ');
}

/** Who has to agree, and what the policy of the severity says besides. */
function renderPolicy({ approval, advice, deadlineMs, options }: Plan, style: Style): readonly string[] {
  const lines: string[] = [];
  if (approval !== undefined) {
    const people = approval.count === 1 ? '' : ` (${approval.count} people)`;
    const when = approval.when === 'before' ? 'before anything is done' : 'afterwards';
    const waived = approval.waived === undefined ? '' : style.warn(`  not waited for: --${approval.waived}`);
    lines.push(`${approval.severity}: needs approval by ${approval.roles.join(' or ')}${people} ${when}${waived}`);
  }
  if (deadlineMs !== undefined) lines.push(`${options.severity ?? ''}: to be done within ${duration(deadlineMs)}`);
  if (advice !== undefined) lines.push(`${style.warn('advice')}  ${advice}`);
  return lines.length === 0 ? [] : ['', ...lines];
}

/** What moved since a plan was made: each object with its fields, then against now. */
export function renderMoved(moved: readonly Moved[], style: Style): string {
  return [
    style.bold('What moved since the plan was made'),
    ...moved.flatMap(({ key, what, fields }) => [
      `  ${style.warn(`~ ${displayName(key)}`)}${fields.length === 0 ? `  ${what}` : ''}`,
      ...fields.flatMap((field) => renderField(field, style)),
    ]),
  ].join('\n');
}

/** What a plan that was made again has that the first one had not, and the other way round. */
export function renderDifferences(one: Plan, other: Plan, differences: readonly string[], style: Style): string {
  const lines = differences.length === 0 ? ['  nothing but the time'] : differences.map((line) => `  ${line}`);
  return [style.bold(`What plan ${shortId(other.hash)} has different from ${shortId(one.hash)}`), ...lines].join('\n');
}

/** A database that is exchanged is no object of the cluster, and the greatest change of all. */
function renderDataStep({ action, dataLoss }: Plan['steps'][number], style: Style): string[] {
  if (
    action.kind !== 'db-swap' &&
    action.kind !== 'db-restore-in-place' &&
    action.kind !== 'db-unswap' &&
    action.kind !== 'migrate'
  )
    return [];
  return [
    `  ${style.bad(`${action.kind === 'migrate' ? '~ schema ' : '± data   '} ${action.store}`)}`,
    ...(dataLoss ?? '').split('; ').map((line) => `      ${style.warn(line)}`),
  ];
}

function risk(level: Plan['risk'], style: Style): string {
  if (level === 'high') return style.bad(level);
  return level === 'medium' ? style.warn(level) : style.good(level);
}

/** One object and its fields: shared by plans and by `backstay diff`. */
export function renderChange(change: Change, style: Style): string[] {
  const paint = painter(change.action, style);
  const why = change.reason === undefined ? '' : style.dim(`  (${change.reason})`);
  const namespace = change.ref.namespace === undefined ? '' : style.dim(` ${change.ref.namespace}`);
  const lines = [
    `  ${paint(`${MARK[change.action]} ${change.action.padEnd(7)} ${displayName(change.key)}`)}${namespace}${why}`,
  ];
  // A whole object that comes or goes is told by what it runs; every field of it is in `--output json`.
  const whole = change.action === 'create' || change.action === 'delete' ? wholeOf(change) : undefined;
  if (whole !== undefined) lines.push(`      ${style.dim(whole)}`);
  else for (const field of change.fields) lines.push(...renderField(field, style));
  for (const manager of change.takesOver) lines.push(style.dim(`      takes over the fields of ${manager}`));
  return lines;
}

interface Workload {
  readonly replicas?: number;
  readonly template?: { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } };
  readonly ports?: readonly { readonly port?: number }[];
}

/** `medical-kg-rev/gateway:v1.2.2, 3 replicas`; undefined for objects of which there is no short word. */
function wholeOf({ fields }: Change): string | undefined {
  const field = fields.find(({ path }) => path === 'spec');
  const spec = (field?.after ?? field?.before) as Workload | undefined;
  if (spec?.template?.spec?.containers !== undefined) {
    const images = spec.template.spec.containers.map(({ image }) => image ?? '?').join(', ');
    return spec.replicas === undefined
      ? images
      : `${images}, ${spec.replicas} replica${spec.replicas === 1 ? '' : 's'}`;
  }
  if (spec?.ports !== undefined) return `port ${spec.ports.map(({ port }) => port ?? '?').join(', ')}`;
  const keys = fields.filter(({ path }) => path.startsWith('data')).length;
  return keys === 0 ? undefined : `${keys} ${keys === 1 ? 'key' : 'keys'}`;
}

function painter(action: ChangeAction, style: Style): (text: string) => string {
  if (action === 'create') return style.good;
  if (action === 'delete' || action === 'replace') return style.bad;
  return action === 'restart' ? style.accent : style.warn;
}

function renderField(field: FieldChange, style: Style): string[] {
  if (field.secret) return [`      ${field.path}: ${style.dim(`secret value ${field.kind}`)}`];
  if (field.lines !== undefined) {
    return [`      ${field.path}:`, ...field.lines.map((line) => `        ${paintLine(line, style)}`)];
  }
  const before = field.before === undefined ? '' : style.bad(value(field.before));
  const after = field.after === undefined ? '' : style.good(value(field.after));
  if (field.kind === 'added') return [`      ${field.path}: ${style.good('+')} ${after}`];
  if (field.kind === 'removed') return [`      ${field.path}: ${style.bad('-')} ${before}`];
  return [`      ${field.path}: ${before} → ${after}`];
}

function paintLine(line: string, style: Style): string {
  if (line.startsWith('+')) return style.good(line);
  if (line.startsWith('-')) return style.bad(line);
  return style.dim(line);
}

function value(json: Json): string {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  return text.length <= VALUE_LIMIT ? text : `${text.slice(0, VALUE_LIMIT - 1)}…`;
}
