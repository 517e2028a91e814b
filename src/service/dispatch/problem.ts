import { CODES, type ErrorCode, isBackstayError } from '../../errors/index.ts';
import { whyOf } from '../log.ts';
import type { Problem } from './claim.ts';

/** What no second try changes: the one who asked, or the stack file, has to. */
const FINAL: ReadonlySet<string> = new Set(['JOURNAL_BROKEN', 'PLAN_ALTERED', 'STACK_INVALID', 'STACK_UNKNOWN']);

/** The reason that a run's process gave at its end, in what it said with `--output jsonl`; undefined: it gave none. Pure. */
export function problemIn(log: string): Problem | undefined {
  const last = log
    .trimEnd()
    .split('\n')
    .findLast((line) => line.startsWith('{'));
  const said = last === undefined ? undefined : parsed(last);
  if (said?.['kind'] !== 'Error') return undefined;
  const { code, message, next } = said;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return {
    code,
    message,
    ...(typeof next === 'string' && next !== '' ? { next } : {}),
    ...(isFinal(code) ? { isFinal: true } : {}),
  };
}

function isFinal(code: string): boolean {
  return FINAL.has(code) || (Object.hasOwn(CODES, code) && CODES[code as ErrorCode].source === 'user');
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    // Cut off in the middle: killed.
    return undefined;
  }
}

/** What kept a process from being started. It is shown to whoever may watch the run: of an error of others its name alone. */
export function problemOf(error: unknown): Problem {
  if (!isBackstayError(error)) return whyOf(error);
  const { code, message, next } = error;
  return { code, message, ...(next === '' ? {} : { next }), ...(isFinal(code) ? { isFinal: true } : {}) };
}
