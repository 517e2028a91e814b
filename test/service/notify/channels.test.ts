import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHttpClient } from '../../../src/adapters/system/index.ts';
import { BackstayError } from '../../../src/errors/index.ts';
import type { NotificationSetting } from '../../../src/model/index.ts';
import type { HttpClient } from '../../../src/ports/index.ts';
import type { Channel, Message, Sending } from '../../../src/service/notify/channel.ts';
import { channelOf } from '../../../src/service/notify/channels/index.ts';
import { type Answer, type LocalServer, localServer, type Received } from '../../hooks/server.ts';

const NOW = Date.parse('2026-03-01T03:00:00.000Z');
const KEY = 'a-key-of-some-length-0123456789';

let http: ReturnType<typeof createHttpClient>;
let server: LocalServer | undefined;

beforeEach(() => {
  http = createHttpClient();
});
afterEach(async () => {
  await http.close();
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});

const MESSAGE: Message = {
  id: 'r1:00000002:run.started',
  subject: 'r1',
  notice: 'run.started',
  stack: 'shop',
  run: 'r1',
  at: '2026-03-01T02:59:00.000Z',
  effect: 'opens',
  title: 'shop is taken from v2 to v1',
  text: 'Asked for by ada@laptop.',
  link: 'https://backstay.example/#/runs/r1',
  values: { stack: 'shop', run: 'r1', reason: 'errors at 12 %' },
};
const ENDED: Message = { ...MESSAGE, id: 'r1:00000009:run.ended', notice: 'run.ended', effect: 'closes' };
const sending = (part: Partial<Sending> = {}): Sending => ({
  repeated: false,
  signal: new AbortController().signal,
  ...part,
});

/** Any kind on a server; requests take 300 ms at most, so that slow ones are soon known to be. */
function channelAt(url: string, kind: NotificationSetting['kind'], key: string | Error = KEY): Channel {
  const source = { env: 'KEY' };
  const settings: Readonly<Record<typeof kind, NotificationSetting>> = {
    slack: { name: 'it', kind: 'slack', webhook: source, channel: '#ops' },
    github: { name: 'it', kind: 'github', api: url, repository: 'a/b', token: source, labels: ['rollback'] },
    pagerduty: { name: 'it', kind: 'pagerduty', url, routingKey: source },
    webhook: { name: 'it', kind: 'webhook', url, secret: source },
    status: { name: 'it', kind: 'status', url, token: source },
  };
  const impatient: HttpClient = {
    request: async (request) => await http.request({ ...request, timeoutMs: Math.min(300, request.timeoutMs) }),
  };
  const keys = {
    read: async () => {
      if (key instanceof Error) throw key;
      return kind === 'slack' && key === KEY ? `${url}/services/T0/${KEY}` : key;
    },
  };
  return channelOf(settings[kind], { http: impatient, keys, clock: { now: () => NOW } });
}

async function answering(answer: (request: Received, count: number) => Answer | Promise<Answer>): Promise<string> {
  server = await localServer(answer);
  return server.url;
}

const KINDS = ['slack', 'github', 'pagerduty', 'webhook', 'status'] as const;
const WELL: Answer = { status: 201, body: JSON.stringify({ number: 7 }) };

describe.each(KINDS)('every channel: %s', (kind) => {
  test('one that is taken is delivered, and carries the id of its event', async () => {
    const url = await answering(() => WELL);
    expect(await channelAt(url, kind).send(MESSAGE, sending())).toMatchObject({ kind: 'delivered' });
    expect(server?.received.length).toBe(1);
    const [request] = server?.received ?? [];
    expect(`${String(request?.headers['idempotency-key'])} ${request?.body}`).toContain(MESSAGE.id);
  });

  test.each<[string, Answer, object]>([
    ['a fault of the receiver', { status: 500 }, { kind: 'retry', because: 'it answers 500' }],
    [
      'a gateway without anybody behind it',
      { status: 502, body: '<html>' },
      { kind: 'retry', because: 'it answers 502' },
    ],
    [
      'too many, with seconds',
      { status: 429, headers: { 'retry-after': '30' } },
      { kind: 'retry', because: 'it answers 429', afterMs: 30_000 },
    ],
    [
      'busy, with a date',
      { status: 503, headers: { 'retry-after': 'Sun, 01 Mar 2026 03:02:00 GMT' } },
      { kind: 'retry', because: 'it answers 503', afterMs: 120_000 },
    ],
    [
      'a wait that nobody has',
      { status: 429, headers: { 'retry-after': '86400000' } },
      { kind: 'retry', because: 'it answers 429', afterMs: 3_600_000 },
    ],
    [
      'words that are no time',
      { status: 503, headers: { 'retry-after': 'soon' } },
      { kind: 'retry', because: 'it answers 503' },
    ],
    [
      'a key that is not accepted',
      { status: 401, body: '{"message":"Bad credentials"}' },
      { kind: 'refused', because: /^it answers 401/ },
    ],
    ['nothing there', { status: 404 }, { kind: 'refused', because: 'it answers 404' }],
    [
      'a way elsewhere',
      { status: 302, headers: { location: 'http://elsewhere.example' } },
      { kind: 'refused', because: 'it answers 302' },
    ],
  ])('%s', async (_what, answer, expected) => {
    const url = await answering(() => answer);
    const sent = await channelAt(url, kind).send(MESSAGE, sending());
    const { because, ...rest } = expected as { because: string | RegExp };
    expect(sent).toEqual({
      ...rest,
      because: expect.stringMatching(because instanceof RegExp ? because : `^${because}$`),
    });
    expect(server?.received.length).toBe(1);
  });

  test('a connection that is cut, one that nobody takes and an answer that never comes are tried again', async () => {
    const cut = await answering(async () => {
      throw new Error('cut');
    });
    expect(await channelAt(cut, kind).send(MESSAGE, sending())).toEqual({
      kind: 'retry',
      because: 'it gives no answer',
    });
    await server?.[Symbol.asyncDispose]();
    expect(await channelAt(cut, kind).send(MESSAGE, sending())).toEqual({
      kind: 'retry',
      because: 'it gives no answer',
    });
    const slow = await answering(() => 'never');
    const sent = await channelAt(slow, kind).send(MESSAGE, sending());
    expect(sent.kind).toBe('retry');
  });

  test('no answer makes it say a secret, and no answer is kept whole', async () => {
    const url = await answering(({ headers, body, url: path }) => ({
      status: 400,
      body: JSON.stringify({ message: `${String(headers.authorization)} ${path} ${KEY} ${body} ${'x'.repeat(5_000)}` }),
    }));
    const sent = await channelAt(url, kind).send(MESSAGE, sending());
    expect(sent.kind).toBe('refused');
    expect(JSON.stringify(sent)).not.toContain(KEY);
    expect(JSON.stringify(sent).length).toBeLessThan(400);
  });

  test('a key that cannot be read is a reason to try again: people mend that', async () => {
    const url = await answering(() => WELL);
    const missing = new BackstayError('KEY_MISSING', 'The environment variable KEY is not set.');
    const sent = await channelAt(url, kind, missing).send(MESSAGE, sending());
    expect(sent).toEqual({ kind: 'retry', because: 'The environment variable KEY is not set.' });
    expect(server?.received.length).toBe(0);
  });

  test('is stopped by its signal, and says so to nobody else', async () => {
    const url = await answering(() => 'never');
    const stop = new AbortController();
    const sent = channelAt(url, kind).send(MESSAGE, sending({ signal: stop.signal }));
    stop.abort(new Error('enough'));
    await expect(sent).rejects.toThrow('enough');
  });
});

test('Slack is told in one text, with the title in bold, in the channel that is named', async () => {
  const url = await answering(() => ({ status: 200, body: 'ok' }));
  await channelAt(url, 'slack').send(MESSAGE, sending());
  expect(server?.received[0]?.url).toBe(`/services/T0/${KEY}`);
  expect(JSON.parse(server?.received[0]?.body ?? '')).toEqual({
    text: '*shop is taken from v2 to v1*\nAsked for by ada@laptop.',
    channel: '#ops',
  });
});

test('a Slack address that is none is said without being repeated', async () => {
  const sent = await channelAt('', 'slack', 'hush-hush').send(MESSAGE, sending());
  expect(sent).toEqual({ kind: 'retry', because: 'what it has for its address is not a URL' });
});

describe('PagerDuty', () => {
  test.each([
    ['opens', 'trigger', 'warning'],
    ['alarms', 'trigger', 'critical'],
    ['acknowledges', 'acknowledge', undefined],
    ['closes', 'resolve', undefined],
  ] as const)('what %s is its %s, by the run', async (effect, action, severity) => {
    const url = await answering(() => ({ status: 202, body: '{"status":"success"}' }));
    await channelAt(url, 'pagerduty').send({ ...MESSAGE, effect }, sending());
    const body = JSON.parse(server?.received[0]?.body ?? '') as Record<string, unknown>;
    expect(body).toMatchObject({ routing_key: KEY, event_action: action, dedup_key: 'r1' });
    const payload = body['payload'] as Record<string, unknown> | undefined;
    expect(payload?.['severity']).toBe(severity);
    if (payload !== undefined)
      expect(payload).toMatchObject({
        summary: MESSAGE.title,
        source: 'shop',
        timestamp: MESSAGE.at,
        custom_details: { reason: 'errors at 12 %', event: MESSAGE.id },
      });
  });
});

test('a status page has one incident a run, which is open until it is resolved', async () => {
  const url = await answering(() => ({ status: 200 }));
  const page = channelAt(url, 'status');
  await page.send(MESSAGE, sending());
  await page.send({ ...MESSAGE, effect: 'alarms' }, sending());
  await page.send(ENDED, sending());
  const told = (server?.received ?? []).map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  expect(told.map(({ incident, status }) => [incident, status])).toEqual([
    ['r1', 'open'],
    ['r1', 'open'],
    ['r1', 'resolved'],
  ]);
  expect(server?.received[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
});

test('a secret that can be guessed signs nothing', async () => {
  const url = await answering(() => WELL);
  const sent = await channelAt(url, 'webhook', 'short').send(MESSAGE, sending());
  expect(sent).toEqual({ kind: 'refused', because: 'the secret of it is shorter than 16 characters' });
  expect(server?.received.length).toBe(0);
});

/** An issue API that remembers, and can fail after it has done what was asked. */
async function issueApi(failAfter: (request: Received) => boolean = () => false): Promise<{
  readonly url: string;
  readonly issues: {
    readonly number: number;
    readonly title: string;
    readonly body: string;
    readonly labels: unknown;
  }[];
  readonly comments: { readonly issue: string; readonly body: string }[];
}> {
  const issues: { number: number; title: string; body: string; labels: unknown }[] = [];
  const comments: { issue: string; body: string }[] = [];
  const failed = new Set<string>();
  const url = await answering(async (request) => {
    const [, number, list] = /^\/repos\/a\/b\/issues(?:\/(\d+))?(\/comments)?/.exec(request.url) ?? [];
    const json = (value: unknown, status = 200): Answer => ({ status, body: JSON.stringify(value) });
    if (request.method === 'GET') {
      if (number === undefined) return json(issues.toReversed());
      if (list === undefined) return json(issues.find((issue) => String(issue.number) === number));
      return json(comments.filter(({ issue }) => issue === number));
    }
    const said = JSON.parse(request.body) as { title: string; body: string; labels: unknown };
    if (number === undefined) issues.push({ ...said, number: issues.length + 1 });
    else comments.push({ issue: number, body: said.body });
    if (failAfter(request) && !failed.has(request.body)) {
      failed.add(request.body);
      throw new Error('cut after it was done');
    }
    return json(number === undefined ? issues.at(-1) : comments.at(-1), 201);
  });
  return { url, issues, comments };
}

describe('GitHub', () => {
  test('opens an issue, and comments on it by the number it was given', async () => {
    const { url, issues, comments } = await issueApi();
    const channel = channelAt(url, 'github');
    expect(await channel.send(MESSAGE, sending())).toEqual({ kind: 'delivered', reference: '1' });
    expect(await channel.send(ENDED, sending({ reference: '1' }))).toEqual({ kind: 'delivered', reference: '1' });
    expect(issues).toMatchObject([{ title: MESSAGE.title, labels: ['rollback'] }]);
    expect(comments.map(({ issue }) => issue)).toEqual(['1']);
    // What can be had in one request takes one.
    expect(server?.received.map(({ method }) => method)).toEqual(['POST', 'POST']);
  });

  test('cut off after the issue was made: finds it by its mark, and makes no second one', async () => {
    const { url, issues, comments } = await issueApi(() => true);
    const channel = channelAt(url, 'github');
    expect(await channel.send(MESSAGE, sending())).toMatchObject({ kind: 'retry' });
    expect(await channel.send(MESSAGE, sending({ repeated: true }))).toEqual({ kind: 'delivered', reference: '1' });
    expect(await channel.send(ENDED, sending({ reference: '1' }))).toMatchObject({ kind: 'retry' });
    expect(await channel.send(ENDED, sending({ reference: '1', repeated: true }))).toEqual({
      kind: 'delivered',
      reference: '1',
    });
    expect([issues.length, comments.length]).toEqual([1, 1]);
  });

  test('a later notice finds the issue of an earlier one whose number was never learned', async () => {
    const { url, issues, comments } = await issueApi();
    const channel = channelAt(url, 'github');
    await channel.send(MESSAGE, sending());
    await channel.send({ ...MESSAGE, subject: 'r2', id: 'r2:00000002:run.started' }, sending());
    expect(await channel.send(ENDED, sending({ repeated: true }))).toEqual({ kind: 'delivered', reference: '1' });
    expect([issues.length, comments.map(({ issue }) => issue)]).toEqual([2, ['1']]);
  });

  test('out of its allowance, it waits until the next one begins', async () => {
    const reset = String(NOW / 1000 + 600);
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset };
    const url = await answering(() => ({ status: 403, headers, body: '{"message":"API rate limit exceeded"}' }));
    expect(await channelAt(url, 'github').send(MESSAGE, sending())).toEqual({
      kind: 'retry',
      because: 'it answers 403: API rate limit exceeded',
      afterMs: 600_000,
    });
  });

  test('forbidden for good is refused', async () => {
    const url = await answering(() => ({ status: 403, body: '{"message":"Resource not accessible"}' }));
    expect(await channelAt(url, 'github').send(MESSAGE, sending())).toEqual({
      kind: 'refused',
      because: 'it answers 403: Resource not accessible',
    });
  });
});
