import { askIssues, type IssueAnswer, type IssuePlace, markedIn, NEWEST_ISSUES } from '../../../hooks/index.ts';
import type { NotificationSetting } from '../../../model/index.ts';
import type { Channel, Message, Sending, Sent } from '../channel.ts';
import { type ChannelDeps, REQUEST_MS, sentOf } from './answer.ts';
import { keyed } from './keyed.ts';

type Setting = Extract<NotificationSetting, { kind: 'github' }>;

/**
 * One issue a run or proposal; what comes later is a comment on it. Both carry marks that a repeat looks for first, so that
 * nothing is there twice although the API knows no idempotency.
 */
export function github(setting: Setting, deps: ChannelDeps): Channel {
  const { name, api, repository, token: key } = setting;
  const { http, clock } = deps;
  return keyed({ name, key }, deps, async (message, sending, token) => {
    const place = { http, api, repository, token, timeoutMs: REQUEST_MS, signal: sending.signal };
    const judge = (answer: IssueAnswer): Sent =>
      sentOf({ ...answer, words: answer.message }, name, { now: clock.now(), secrets: [token] });
    return await tell(setting, place, message, sending, judge);
  });
}

type Judge = (answer: IssueAnswer) => Sent;

async function tell(
  setting: Setting,
  place: IssuePlace,
  message: Message,
  { reference, repeated }: Sending,
  judge: Judge,
): Promise<Sent> {
  if (reference !== undefined) return await comment(place, reference, message, repeated, judge);
  const mark = `<!-- backstay:about:${message.subject} -->`;
  if (repeated) {
    const list = await askIssues(place, 'GET', NEWEST_ISSUES);
    const problem = judge(list);
    if (problem.kind !== 'delivered') return problem;
    const found = numberOf(markedIn(list.value, mark));
    if (found !== undefined) return await comment(place, found, message, true, judge);
  }
  const opened = await askIssues(place, 'POST', '', {
    title: message.title,
    body: [message.text, '', mark, markOf(message)].join('\n'),
    labels: setting.labels,
  });
  return numbered(judge(opened), numberOf(opened.value));
}

/** The issue's own text counts as a comment: it tells of the notice that opened it. */
async function comment(
  place: IssuePlace,
  issue: string,
  message: Message,
  repeated: boolean,
  judge: Judge,
): Promise<Sent> {
  if (repeated) {
    const since = encodeURIComponent(message.at);
    for (const path of [`/${issue}`, `/${issue}/comments?per_page=100&since=${since}`]) {
      const answer = await askIssues(place, 'GET', path);
      const problem = judge(answer);
      if (problem.kind !== 'delivered') return problem;
      const list = Array.isArray(answer.value) ? answer.value : [answer.value];
      if (markedIn(list, markOf(message)) !== undefined) return numbered(problem, issue);
    }
  }
  const body = [`**${message.title}**`, '', message.text, '', markOf(message)].join('\n');
  return numbered(judge(await askIssues(place, 'POST', `/${issue}/comments`, { body })), issue);
}

function markOf({ id }: Message): string {
  return `<!-- backstay:event:${id} -->`;
}

function numbered(sent: Sent, reference: string | undefined): Sent {
  return sent.kind === 'delivered' && reference !== undefined ? { ...sent, reference } : sent;
}

function numberOf(issue: unknown): string | undefined {
  const number = (issue as { number?: unknown } | null | undefined)?.number;
  return typeof number === 'number' && Number.isInteger(number) ? String(number) : undefined;
}
