import type { HttpClient } from '../ports/index.ts';

/** A repository's issues in a GitHub-compatible API. */
export interface IssuePlace {
  readonly http: HttpClient;
  /** Base address of the API. */
  readonly api: string;
  /** OWNER/NAME. */
  readonly repository: string;
  /** Never repeated. */
  readonly token: string;
  /** Milliseconds for one request. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface IssueAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body, or undefined where it is no JSON. */
  readonly value: unknown;
  /** What the API says went wrong, in its own words. */
  readonly message?: string;
}

/**
 * One request; `path` is what comes behind `/issues`. Any status is an answer.
 * @throws ENDPOINT_UNREACHABLE, TIMEOUT, and the signal's reason when it fires
 */
export async function askIssues(place: IssuePlace, method: string, path: string, body?: unknown): Promise<IssueAnswer> {
  const { http, api, repository, token, timeoutMs, signal } = place;
  const answer = await http.request({
    method,
    url: `${api.replace(/\/$/, '')}/repos/${repository}/issues${path}`,
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/vnd.github+json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    timeoutMs,
    signal,
  });
  const value = parse(answer.body);
  const message = (value as { message?: unknown } | null | undefined)?.message;
  const { status, headers } = answer;
  return { status, headers, value, ...(typeof message === 'string' ? { message } : {}) };
}

/** The newest hundred issues: the list has no delay, the search index has one. */
export const NEWEST_ISSUES = '?state=all&sort=created&direction=desc&per_page=100';

/** The first of a list of issues or comments whose body carries the mark. Undefined too when it is no list. */
export function markedIn(list: unknown, mark: string): unknown {
  if (!Array.isArray(list)) return undefined;
  return (list as readonly unknown[]).find((one) => {
    const body = (one as { body?: unknown } | null)?.body;
    return typeof body === 'string' && body.includes(mark);
  });
}

/** Where a person reads it. */
export function pageOf(issue: unknown): string {
  const { html_url: page, url } = (issue ?? {}) as { html_url?: unknown; url?: unknown };
  if (typeof page === 'string') return page;
  return typeof url === 'string' ? url : '(no address given)';
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
