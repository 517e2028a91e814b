import { z } from '@hono/zod-openapi';
import { BackstayError } from '../errors/index.ts';
import { type Scope, SCOPES } from '../model/index.ts';
import { PROBLEM_TYPE } from './problem.ts';

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    source: z.enum(['user', 'us', 'environment']),
    next: z.string(),
    requestId: z.string(),
    details: z.looseObject({}).exactOptional(),
    errors: z
      .array(z.object({ in: z.enum(['body', 'query', 'path', 'header']), pointer: z.string(), detail: z.string() }))
      .exactOptional(),
  })
  .openapi('Problem');

const problemAnswer = (description: string) => ({ description, content: { [PROBLEM_TYPE]: { schema: problem } } });

/** What every route may answer beside what it is for: spread it into `responses`. */
export const PROBLEMS = {
  '4XX': problemAnswer('The request, or the state of what it names, has to change first.'),
  '5XX': problemAnswer('The service, or what lies behind it, failed.'),
} as const;

/** One JSON answer. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A body that has to be there. */
export function body<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** Any object that an action gives as it is: the same as the CLI's `--output json`, and described there. */
export const document: z.ZodType = z.looseObject({});

/** Names come from people: they never hold what leads out of a folder or breaks a line. */
export const stackName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/)
  .openapi({ example: 'medical-kg' });

export const runId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/)
  .openapi({ example: '20260102-031500-3f9a2c' });

/** A target as it is typed after `--to`: an id, a label, `known-good`, `deployment/NAME@REVISION`. */
export const targetText = z.string().regex(/^[!-~\u00a1-\uffff]{1,253}$/);

/** What people say to each other; goes into journals and reports. */
export const lines = z.string().regex(/^[ -~\n\t\u00a0-\uffff]{1,4000}$/);

export const planHash = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** `?checks=true`. */
export const flagQuery = z
  .enum(['true', 'false'])
  .default('false')
  .transform((given) => given === 'true');

/** `full`, `traffic` and the like by name; else names of workloads, with commas. */
export const scopeQuery = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.,-]{0,999}$/)
  .default('full')
  .transform((given): Scope => {
    const named = SCOPES.find((scope) => scope === given);
    return named === undefined ? { kind: 'workloads', names: given.split(',') } : { kind: named };
  });

/** Of a list: how many, and after which. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ description: 'How many at most.' }),
  cursor: z
    .string()
    .max(600)
    .regex(/^[A-Za-z0-9_-]+$/)
    .exactOptional()
    .openapi({ description: '`next` of the page before.' }),
};

export function page<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().exactOptional() });
}

/**
 * The part of a list after the cursor, and the cursor of the part after it. Cursors name the last item, not its number: what
 * is added meanwhile shifts nothing. @throws REQUEST_INVALID when the cursor is none of ours, or its item is gone
 */
export function paged<T>(
  items: readonly T[],
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  keyOf: (item: T) => string,
): { items: T[]; next?: string } {
  const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString();
  const from = after === undefined ? 0 : items.findIndex((item) => keyOf(item) === after) + 1;
  if (after !== undefined && from === 0)
    throw new BackstayError('REQUEST_INVALID', 'The cursor leads nowhere.', {
      details: { errors: [{ in: 'query', pointer: '/cursor', detail: 'not `next` of a page of this list' }] },
    });
  const part = items.slice(from, from + limit);
  const last = part.at(-1);
  const isMore = last !== undefined && from + part.length < items.length;
  return { items: part, ...(isMore ? { next: Buffer.from(keyOf(last)).toString('base64url') } : {}) };
}
