import { CODES, type ErrorCode } from './codes.ts';

/** Recognises our errors across duplicated copies of the package and across realms. */
const BRAND = Symbol.for('backstay.dev/error');

export interface BackstayErrorOptions {
  /** What went wrong underneath. Kept as `cause`; its text is appended to nothing, so it may hold detail. */
  readonly cause?: unknown;
  /** Replaces the table's advice when a more exact next command is known. */
  readonly next?: string;
  /** Where the fault is, for bad input that came from a file. Line and column count from 1. */
  readonly at?: { readonly file: string; readonly line?: number; readonly column?: number };
  /** Structured facts for `--output json`. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The one base of every error that Backstay throws on purpose: a stable code, who is at fault, and what to do next.
 * Expected outcomes (a check that failed, nothing to do) are results, never errors.
 */
export class BackstayError extends Error {
  readonly code: ErrorCode;
  readonly source: 'user' | 'us' | 'environment';
  readonly exitCode: number;
  readonly next: string;
  readonly at: BackstayErrorOptions['at'];
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: BackstayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const row = CODES[code];
    this.name = 'BackstayError';
    this.code = code;
    this.source = row.source;
    this.exitCode = row.exit;
    this.next = options.next ?? row.next;
    this.at = options.at;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }
}

export function isBackstayError(value: unknown, code?: ErrorCode): value is BackstayError {
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
  return code === undefined || (value as unknown as BackstayError).code === code;
}
