import { BackstayError } from '../errors/index.ts';
import { fill, type HookAction } from '../model/index.ts';
import type { HttpClient } from '../ports/index.ts';
import { askIssues, markedIn, NEWEST_ISSUES, pageOf } from './issue-api.ts';

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
  if (existing !== undefined) return { url: pageOf(existing), isNew: false };
  const issue = await call(action, context, 'POST', '', {
    title: fill(action.title, context.values),
    body: `${fill(action.body, context.values)}\n\n${mark}`,
    labels: action.labels,
  });
  return { url: pageOf(issue), isNew: true };
}

async function find(action: Ticket, mark: string, context: TicketContext): Promise<unknown> {
  const issues = await call(action, context, 'GET', NEWEST_ISSUES);
  if (!Array.isArray(issues))
    throw new BackstayError('HOOK_FAILED', `${action.repository}: the list of issues is not a list`);
  return markedIn(issues, mark);
}

async function call(
  { api, repository }: Ticket,
  context: TicketContext,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { status, value, message } = await askIssues({ ...context, api, repository }, method, path, body);
  if (status >= 200 && status < 300) return value;
  const reason = message === undefined ? '' : `: ${message}`;
  throw new BackstayError('HOOK_FAILED', `${method} issues of ${repository} answers ${status}${reason}`);
}
