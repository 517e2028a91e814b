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
  if (options.steps) {
    lines.push('', style.bold('What will be done'));
    const width = Math.max(...plan.steps.map((step) => step.phase.length), 0);
    for (const step of plan.steps) {
      const flag = step.destructive ? style.bad('  destructive') : '';
      const back = step.reverse === undefined ? '' : style.dim('  reversible');
      lines.push(`  ${style.dim(step.phase.padEnd(width))}  ${step.title}${flag}${back}`);
    }
  }
  const takes = expectedTotal(plan.steps);
  if (options.steps && takes !== undefined)
    lines.push('', `Takes about ${duration(takes.ms)}, from ${takes.runs} run${takes.runs === 1 ? '' : 's'} before.`);
  if (options.steps && plan.onInvalid === 'return')
    lines.push('', 'When the checks fail, the run returns to what was before by itself.');
  for (const warning of plan.warnings) lines.push('', `${style.warn('warning')}  ${warning}`);
  lines.push('', style.dim(`plan ${shortId(plan.hash)}`));
  return lines.join('\n');
}

/** A database that is exchanged is no object of the cluster, and the greatest change of all. */
function renderDataStep({ action, dataLoss }: Plan['steps'][number], style: Style): string[] {
  if (action.kind !== 'db-swap' && action.kind !== 'db-unswap') return [];
  return [
    `  ${style.bad(`± data    ${action.store}`)}`,
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
