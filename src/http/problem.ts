import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { BackstayError, CODES, type ErrorCode, isBackstayError } from '../errors/index.ts';
import type { AppEnv } from './context.ts';
import { STATUSES } from './statuses.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** RFC 9457, with what our errors carry everywhere. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly source: 'user' | 'us' | 'environment';
  readonly next: string;
  readonly requestId: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** What is wrong in the request, place by place. */
  readonly errors?: readonly Misfit[];
}

/** One thing in a request that does not fit. */
export interface Misfit {
  readonly in: 'body' | 'query' | 'path' | 'header';
  /** RFC 6901. */
  readonly pointer: string;
  readonly detail: string;
}

/** Pure. An error that nobody foresaw says nothing of itself: its text may hold anything. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known = knownOf(error);
  const { errors, ...details } = known.details as { readonly errors?: readonly Misfit[] };
  return {
    type: `urn:backstay:error:${known.code}`,
    title: CODES[known.code].summary,
    status: STATUSES[known.code],
    detail: known.message,
    code: known.code,
    source: known.source,
    next: known.next,
    requestId,
    ...(Object.keys(details).length === 0 ? {} : { details }),
    ...(errors === undefined ? {} : { errors }),
  };
}

/** What hono's own parts throw is about the request's body, and nothing else. */
function knownOf(error: unknown): BackstayError {
  if (isBackstayError(error)) return error;
  if (error instanceof HTTPException && error.status === 415)
    return new BackstayError('REQUEST_TYPE', 'The body is of a type that is not taken here.');
  if (error instanceof HTTPException && error.status < 500)
    return new BackstayError('REQUEST_MALFORMED', 'The body of the request is not JSON.');
  return new BackstayError(
    'INTERNAL',
    'Something that was not foreseen went wrong. The log has it under the request id.',
  );
}

/** The answer for an error, whatever threw it. */
export function answerProblem(c: Context<AppEnv>, error: unknown): Response {
  const problem = problemOf(error, c.get('requestId'));
  const after = isBackstayError(error, 'REQUESTS_TOO_MANY') ? error.details['retryAfterS'] : undefined;
  if (typeof after === 'number') c.header('Retry-After', String(after));
  if (problem.status === 401) c.header('WWW-Authenticate', 'Bearer realm="backstay"');
  return c.body(JSON.stringify(problem), STATUSES[problem.code], {
    'Content-Type': PROBLEM_TYPE,
    'Cache-Control': 'no-store',
  });
}

const PLACES = {
  json: 'body',
  form: 'body',
  query: 'query',
  param: 'path',
  header: 'header',
  cookie: 'header',
} as const;

interface Validated {
  readonly success: boolean;
  readonly target: string;
  readonly error?: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] };
}

/** What the routes' schemas say of a request, for `defaultHook`. @throws REQUEST_INVALID with every misfit */
export function refuseMisfits(result: Validated): undefined {
  if (result.success) return undefined;
  const place = PLACES[result.target as keyof typeof PLACES];
  const errors = (result.error?.issues ?? []).map(
    ({ path, message }): Misfit => ({ in: place, pointer: pointerOf(path), detail: message }),
  );
  const named = errors.map(({ pointer, detail }) => `${place}${pointer === '' ? '' : ` ${pointer}`}: ${detail}`);
  throw new BackstayError('REQUEST_INVALID', `The request does not fit. ${named.slice(0, 3).join('; ')}`, {
    details: { errors },
  });
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
