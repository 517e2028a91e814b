import { BackstayError } from '../errors/index.ts';
import { fill, type HookAction } from '../model/index.ts';
import type { HttpClient } from '../ports/index.ts';

type Ticket = Extract<HookAction, { kind: 'ticket' }>;

export interface TicketContext {
  readonly http: HttpClient;
  readonly token: string;
  readonly run: string;
  readonly attempt: number;
  readonly values: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface OpenedTicket {
  readonly url: string;
  readonly isNew: boolean;
}

/**
 * Opens an issue, once for each run: its body carries a mark that a repeat looks for first.
 * @throws HOOK_FAILED with the API's own message.
 */
export async function openTicket(action: Ticket, context: TicketContext): Promise<OpenedTicket> {
  const mark = `<!-- backstay:${context.run} -->`;
  // Asked only on a repeat: a first attempt cannot have opened one.
  const existing = context.attempt > 1 ? await find(action, mark, context) : undefined;
  if (existing !== undefined) return { url: existing, isNew: false };
  const issue = await call(action, context, 'POST', '', {
    title: fill(action.title, context.values),
    body: `${fill(action.body, context.values)}\n\n${mark}`,
    labels: action.labels,
  });
  return { url: urlOf(issue), isNew: true };
}

/** Among the newest hundred, which the list gives without the delay of the search index. */
async function find(action: Ticket, mark: string, context: TicketContext): Promise<string | undefined> {
  const issues = await call(action, context, 'GET', '?state=all&sort=created&direction=desc&per_page=100');
  if (!Array.isArray(issues))
    throw new BackstayError('HOOK_FAILED', `${action.repository}: the list of issues is not a list`);
  const found = (issues as readonly unknown[]).find((issue) => {
    const body = (issue as { body?: unknown } | null)?.body;
    return typeof body === 'string' && body.includes(mark);
  });
  return found === undefined ? undefined : urlOf(found);
}

async function call(
  action: Ticket,
  { http, token, timeoutMs, signal }: TicketContext,
  method: string,
  query: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await http.request({
    method,
    url: `${action.api.replace(/\/$/, '')}/repos/${action.repository}/issues${query}`,
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/vnd.github+json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    timeoutMs,
    signal,
  });
  const parsed = parse(answer.body);
  if (answer.status >= 200 && answer.status < 300) return parsed;
  const said = (parsed as { message?: unknown } | undefined)?.message;
  const reason = typeof said === 'string' ? `: ${said}` : '';
  throw new BackstayError('HOOK_FAILED', `${method} issues of ${action.repository} answers ${answer.status}${reason}`);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function urlOf(issue: unknown): string {
  const { html_url: page, url } = (issue ?? {}) as { html_url?: unknown; url?: unknown };
  if (typeof page === 'string') return page;
  return typeof url === 'string' ? url : '(no address given)';
}
