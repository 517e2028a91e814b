import type { ObjectRef, Scope } from './types.ts';

/** `850 ms`, `4.2 s`, `3 min 4 s`, `2 h 5 min`, as reports say it. */
export function spell(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? '' : ` ${seconds % 60} s`}`;
  const minutes = Math.round(ms / 60_000);
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

const DAY_MS = 86_400_000;

/** `every day`, `every 90 days`, `every 30 min`. */
export function everyInWords(ms: number): string {
  if (ms === DAY_MS) return 'every day';
  return `every ${ms % DAY_MS === 0 ? count(ms / DAY_MS, 'day') : spell(ms)}`;
}

/** A clock that runs: `0:07`, `12:40`, `1:02:03`. */
export function clock(ms: number): string {
  const all = Math.max(0, Math.floor(ms / 1_000));
  const [hours, minutes, seconds] = [Math.floor(all / 3_600), Math.floor(all / 60) % 60, all % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours === 0 ? `${minutes}:${two(seconds)}` : `${hours}:${two(minutes)}:${two(seconds)}`;
}

/** How long ago, roughly: `just now`, `4 min ago`, `3 h ago`, `2 days ago`. What lies ahead is `in …`. */
export function ago(iso: string, now: number): string {
  const ms = now - Date.parse(iso);
  if (Number.isNaN(ms)) return 'at an unknown time';
  if (Math.abs(ms) < 45_000) return 'just now';
  const said = roughly(Math.abs(ms));
  return ms > 0 ? `${said} ago` : `in ${said}`;
}

function roughly(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(ms / 3_600_000);
  if (hours < 36) return `${hours} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

/** `2026-11-21 03:04:05 UTC`. */
export function moment(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

/** First 12 hex digits, what people see and type. */
export function shortDigest(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** `Deployment production/gateway`. */
export function objectName({ kind, namespace, name }: Pick<ObjectRef, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** Of `group/Kind/namespace/name` the last three, as `objectName` says them. */
export function keyInWords(key: string): string {
  const [, kind = '', namespace = '-', ...name] = key.split('/');
  if (kind === '') return key;
  return objectName({ kind, name: name.join('/'), ...(namespace === '-' ? {} : { namespace }) });
}

export function scopeInWords(scope: Scope): string {
  return scope.kind === 'workloads' ? scope.names.join(', ') : scope.kind;
}

export function personInWords(by: string | { readonly user: string; readonly host: string }): string {
  return typeof by === 'string' ? by : `${by.user} on ${by.host}`;
}

/** A field's value on one line. */
export function valueInWords(value: unknown): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? (value === '' ? '""' : value) : JSON.stringify(value);
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** How a state or an outcome looks. Its word is always said as well. */
export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'quiet' | 'unknown';

/** States of stacks and runs, outcomes, verdicts, standings: one table, so that a word looks the same everywhere. */
const TONES: Readonly<Record<string, Tone>> = {
  succeeded: 'good',
  pass: 'good',
  up: 'good',
  ready: 'good',
  healthy: 'good',
  granted: 'good',
  approved: 'good',
  done: 'good',
  proven: 'good',
  delivered: 'good',
  quiet: 'good',
  failed: 'bad',
  fail: 'bad',
  down: 'bad',
  mixed: 'bad',
  denied: 'bad',
  overdue: 'bad',
  expired: 'bad',
  damaged: 'bad',
  failing: 'bad',
  firing: 'bad',
  lost: 'bad',
  refused: 'bad',
  'given-up': 'bad',
  disturbed: 'bad',
  unhealthy: 'bad',
  unfinished: 'warn',
  waiting: 'warn',
  returned: 'warn',
  unvalidated: 'warn',
  warned: 'warn',
  due: 'warn',
  open: 'warn',
  held: 'warn',
  progressing: 'warn',
  running: 'busy',
  queued: 'busy',
  begun: 'busy',
  planning: 'busy',
  started: 'busy',
  sending: 'busy',
  watching: 'busy',
  idle: 'quiet',
  'nothing-to-do': 'quiet',
  cancelled: 'quiet',
  abandoned: 'quiet',
  skipped: 'quiet',
  pending: 'quiet',
  dismissed: 'quiet',
  settled: 'quiet',
  resolved: 'quiet',
  withdrawn: 'quiet',
  stopped: 'quiet',
};

/** A word that is in no table is unknown, never good. */
export function toneOf(word: string | undefined): Tone {
  return (word === undefined ? undefined : TONES[word]) ?? 'unknown';
}
