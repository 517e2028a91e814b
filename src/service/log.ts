import { isBackstayError } from '../errors/index.ts';

/** One line of the service's log. Never a header, a body, a query or a secret. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  /** What happened, as a fixed name: `request`, `listening`, `loop.failed`. */
  readonly event: string;
  readonly [fact: string]: string | number | boolean | undefined;
}

export type Log = (line: LogLine) => void;

/** Our own errors say nothing secret; any other may hold anything. */
export function whyOf(error: unknown): { readonly code: string; readonly message: string } {
  if (isBackstayError(error)) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.name : typeof error };
}
