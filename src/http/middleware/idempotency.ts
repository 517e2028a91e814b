import type { MiddlewareHandler } from 'hono';
import { BackstayError } from '../../errors/index.ts';
import { digestOf, type JsonObject, type Principal } from '../../model/index.ts';
import type { ServiceRecord, ServiceStore } from '../../ports/index.ts';
import type { AppEnv, HttpDeps } from '../context.ts';

const KEY = /^[!-~]{1,128}$/;
/** Milliseconds for which an answer is given again. */
const KEPT_MS = 24 * 3_600_000;
/** Headers that belong to the answer itself. */
const SAME = ['content-type', 'location', 'etag'] as const;

interface Kept {
  readonly request: string;
  /** Absent while the request is being answered. */
  readonly answer?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

/**
 * A change that comes with an Idempotency-Key is made once: the same request with the same key has the same answer again,
 * on every machine of the service. Only what succeeded is kept. A key whose request was begun and has no answer (the service was
 * killed) stays refused: whether it had its effect is for the one who asked to see.
 * @throws IDEMPOTENCY_MISMATCH, REQUEST_UNDER_WAY, REQUEST_MALFORMED
 */
export function idempotency({ service: { records, clock } }: HttpDeps): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const given = c.req.header('idempotency-key');
    const principal = c.get('principal') as Principal | undefined;
    const isChange = !['GET', 'HEAD', 'OPTIONS'].includes(c.req.method);
    if (given === undefined || principal === undefined || !isChange) return await next();
    if (!KEY.test(given))
      throw new BackstayError('REQUEST_MALFORMED', 'An Idempotency-Key has 1 to 128 visible characters.');
    const key = digestOf([principal.id, given]);
    const { pathname, search } = new URL(c.req.url);
    const request = digestOf([c.req.method, pathname, search, c.req.raw.body === null ? '' : await c.req.text()]);
    const seen = fresh(await records.get('idempotency', key), clock.now());
    const again = answerAgain(seen.record, request);
    if (again !== undefined) return again;
    const begun = await records.put('idempotency', key, seen.version, { request });
    if (begun === undefined) throw underWay();
    await next();
    await settle(records, begun, c.res, request);
  };
}

/** One that is too old counts as none, and is written over. */
function fresh(record: ServiceRecord | undefined, now: number) {
  if (record === undefined) return { version: 0 };
  return { version: record.version, ...(now - Date.parse(record.at) > KEPT_MS ? {} : { record }) };
}

function answerAgain(record: ServiceRecord | undefined, request: string): Response | undefined {
  if (record === undefined) return undefined;
  const { request: before, answer } = record.value as unknown as Kept;
  if (before !== request)
    throw new BackstayError('IDEMPOTENCY_MISMATCH', 'This Idempotency-Key was used for another request.');
  if (answer === undefined) throw underWay();
  const { status, headers, body } = answer;
  return new Response(body === '' ? null : body, { status, headers: { ...headers, 'Idempotency-Replayed': 'true' } });
}

function underWay(): BackstayError {
  return new BackstayError('REQUEST_UNDER_WAY', 'A request with this Idempotency-Key was begun and has no answer yet.');
}

async function settle(records: ServiceStore, begun: ServiceRecord, res: Response, request: string): Promise<void> {
  // An answer that nobody may store (a new token) is not stored by us either; asked again, its name is taken.
  if (res.status >= 400 || res.headers.get('cache-control')?.includes('no-store') === true) {
    await records.remove('idempotency', begun.key, begun.version);
    return;
  }
  const headers = Object.fromEntries(
    SAME.flatMap((name) => {
      const value = res.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
  );
  const answer = { status: res.status, headers, body: await res.clone().text() };
  const value: JsonObject = { request, answer };
  await records.put('idempotency', begun.key, begun.version, value);
}
