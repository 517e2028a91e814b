import { BackstayError, CODES, type ErrorCode } from '../errors/index.ts';
import type { Answer } from './transport.ts';

/** What a service says of a request that came to nothing (RFC 9457), as far as it is used. */
interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly next?: string;
  readonly requestId?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly errors?: readonly { readonly pointer?: string; readonly detail?: string }[];
}

/**
 * The same error that the verb would have thrown on the service's own machine, with its code and so its exit code.
 * SERVICE_REFUSED for what is not said by us, or by a newer service with a code unknown here.
 */
export function errorOf(answer: Answer, server: URL): BackstayError {
  const problem = problemOf(answer);
  const { status, headers } = answer;
  const requestId = problem?.requestId ?? headers.get('x-request-id') ?? undefined;
  const about = { status, server: server.origin, ...(requestId === undefined ? {} : { requestId }) };
  if (problem?.code === undefined) return refused(answer, about);
  const { code, next, details = {}, errors } = problem;
  const message = problem.detail ?? problem.title ?? code;
  const faults = errors === undefined ? {} : { errors };
  if (!isCode(code))
    return new BackstayError('SERVICE_REFUSED', `${server.host} answers ${code}: ${message}`, {
      details: { ...details, ...faults, ...about, code },
      ...(next === undefined ? {} : { next }),
    });
  return new BackstayError(code, withFaults(message, errors), {
    details: { ...details, ...faults, ...about },
    ...(next === undefined ? {} : { next }),
  });
}

/** What a body lacks is told with the place, as for a stack file. */
function withFaults(message: string, errors: Problem['errors'] = []): string {
  const lines = errors.map(({ pointer = '', detail = '' }) => `${pointer === '' ? 'body' : pointer}: ${detail}`);
  return lines.length === 0 || message.includes(lines[0] ?? '') ? message : [message, ...lines].join('\n  ');
}

function problemOf(answer: Answer): Problem | undefined {
  if (answer.headers.get('content-type')?.includes('json') !== true) return undefined;
  try {
    const said: unknown = JSON.parse(answer.text());
    return typeof said === 'object' && said !== null ? said : undefined;
  } catch {
    return undefined;
  }
}

function refused({ status, headers }: Answer, details: { readonly server: string }): BackstayError {
  const to = headers.get('location');
  const what = status >= 300 && status < 400 && to !== null ? `${status} to ${to}` : String(status);
  return new BackstayError('SERVICE_REFUSED', `${details.server} answers ${what}, and not as a service of Backstay.`, {
    details,
  });
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(CODES, code);
}
