import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createExec, createHttpClient, createSystemClock } from '../../src/adapters/system/index.ts';
import { BackstayError } from '../../src/errors/index.ts';
import { type HookContext, runHook } from '../../src/hooks/index.ts';
import type { HookAction, HookSetting } from '../../src/model/index.ts';
import { aDeployment, fakeCluster, type FakeClusterOptions } from './fake-cluster.ts';
import { localServer } from './server.ts';

const http = createHttpClient();
let baseDir = '';

beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), 'backstay-hooks-'));
});
afterAll(async () => {
  await http.close();
  await rm(baseDir, { recursive: true });
});

const VALUES = {
  run: 'r1',
  stack: 'medical-kg',
  from: 'aaaa',
  to: 'v1.2.2',
  reason: 'docling is slow',
  incident: 'INC-7',
  outcome: 'succeeded',
  duration: '4 s',
};

function context(part: Partial<HookContext> & { readonly cluster?: HookContext['cluster'] } = {}): HookContext {
  return {
    cluster: fakeCluster(),
    http,
    exec: createExec({ env: { PATH: process.env['PATH'] } }),
    keys: { read: async (source) => `secret of ${'env' in source ? source.env : source.file}` },
    clock: createSystemClock(),
    namespace: 'production',
    baseDir,
    run: 'r1',
    attempt: 1,
    values: VALUES,
    signal: new AbortController().signal,
    ...part,
  };
}

function hook(action: HookAction, timeoutMs = 5_000): HookSetting {
  return { name: 'it', phase: 'frozen', timeoutMs, onError: 'halt', action };
}

const keysFor = (value: string): HookContext['keys'] => ({ read: async () => value });

describe('an http hook', () => {
  const post = (url: string, accept = [200]): HookAction => ({
    kind: 'http',
    method: 'POST',
    target: { url },
    body: { why: '{{reason}}', nested: [{ of: '{{ stack }}' }], count: 3 },
    accept,
  });

  test('sends its body with placeholders filled, and a key by which a repeat is told', async () => {
    await using server = await localServer(() => ({ status: 200 }));
    await runHook(hook(post(`${server.url}/pause`)), context());
    expect(server.received).toMatchObject([{ method: 'POST', url: '/pause' }]);
    expect(JSON.parse(server.received[0]?.body ?? '')).toEqual({
      why: 'docling is slow',
      nested: [{ of: 'medical-kg' }],
      count: 3,
    });
    expect(server.received[0]?.headers).toMatchObject({
      'idempotency-key': 'r1/it',
      'content-type': 'application/json',
    });
  });

  test('fails on a code that it does not accept, saying which it got and which it wanted', async () => {
    await using server = await localServer(() => ({ status: 500 }));
    await expect(runHook(hook(post(`${server.url}/pause?token=x`, [200, 202])), context())).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringMatching(/answers 500, expected 200 or 202$/),
    });
  });

  test('fails when nobody listens, and never names the query', async () => {
    const server = await localServer(() => ({ status: 200 }));
    await server[Symbol.asyncDispose]();
    const failure = await runHook(hook(post(`${server.url}/pause?token=hush`)), context()).catch((e: unknown) => e);
    expect(failure).toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
    expect((failure as Error).message).not.toContain('hush');
  });

  test('is over when its time is', async () => {
    await using server = await localServer(() => 'never');
    await expect(runHook(hook(post(server.url), 50), context())).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('breaks off with the reason of the signal', async () => {
    const stop = new AbortController();
    await using server = await localServer(() => {
      stop.abort(new BackstayError('CANCELLED', 'second Ctrl-C'));
      return 'never';
    });
    const run = runHook(hook(post(server.url)), context({ signal: stop.signal }));
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('an announcement', () => {
  const announce: HookAction = {
    kind: 'announce',
    webhook: { env: 'SLACK' },
    channel: '#ops',
    text: '{{stack}} is at {{to}} after {{duration}} ({{incident}}): {{outcome}}',
  };

  test('goes to the webhook as Slack takes it', async () => {
    await using server = await localServer(() => ({ status: 200, body: 'ok' }));
    await runHook(hook(announce), context({ keys: keysFor(`${server.url}/services/T0/B0/hush\n`) }));
    expect(server.received).toHaveLength(1);
    expect(JSON.parse(server.received[0]?.body ?? '')).toEqual({
      channel: '#ops',
      text: 'medical-kg is at v1.2.2 after 4 s (INC-7): succeeded',
    });
  });

  test.each([
    ['that is refused', 404],
    ['to which nobody listens', undefined],
  ])('%s fails without naming the address, which is a secret', async (_case, status) => {
    const server = await localServer(() => ({ status: status ?? 200 }));
    if (status === undefined) await server[Symbol.asyncDispose]();
    const failure = (await runHook(hook(announce), context({ keys: keysFor(`${server.url}/services/hush`) })).catch(
      (e: unknown) => e,
    )) as BackstayError;
    expect(['HOOK_FAILED', 'ENDPOINT_UNREACHABLE']).toContain(failure.code);
    expect(`${failure.message} ${String(failure.cause)} ${JSON.stringify(failure.details)}`).not.toContain('hush');
    if (status !== undefined) await server[Symbol.asyncDispose]();
  });
});

describe('a ticket', () => {
  const ticketFor = (api: string): HookAction => ({
    kind: 'ticket',
    api,
    repository: 'acme/medical-kg',
    token: { env: 'GITHUB' },
    title: 'Security assessment after {{incident}}',
    body: 'Rolled back from {{from}} to {{to}}: {{reason}}',
    labels: ['rollback'],
  });

  test('is opened with a mark of its run, and the token only in its header', async () => {
    await using server = await localServer(() => ({ status: 201, body: '{"html_url":"https://git/1"}' }));
    const { message, result } = await runHook(hook(ticketFor(server.url)), context({ keys: keysFor('hush') }));
    expect(message).toBe('opened https://git/1');
    expect(server.received).toMatchObject([{ method: 'POST', url: '/repos/acme/medical-kg/issues' }]);
    expect(server.received[0]?.headers.authorization).toBe('Bearer hush');
    const sent = JSON.parse(server.received[0]?.body ?? '') as { title: string; body: string; labels: string[] };
    expect(sent).toMatchObject({ title: 'Security assessment after INC-7', labels: ['rollback'] });
    expect(sent.body).toBe('Rolled back from aaaa to v1.2.2: docling is slow\n\n<!-- backstay:r1 -->');
    expect(JSON.stringify({ message, result, sent })).not.toContain('hush');
  });

  test('is looked for before a repeat opens it, and left alone when it is there', async () => {
    const issues = JSON.stringify([
      { body: 'other' },
      { body: null },
      { body: 'x <!-- backstay:r1 -->', html_url: 'https://git/1' },
    ]);
    await using server = await localServer(() => ({ status: 200, body: issues }));
    const { message } = await runHook(hook(ticketFor(server.url)), context({ attempt: 2 }));
    expect(message).toBe('https://git/1 was open already');
    expect(server.received.map(({ method }) => method)).toEqual(['GET']);
  });

  test('is opened by a repeat when the first attempt never got through', async () => {
    await using server = await localServer(({ method }) =>
      method === 'GET'
        ? { status: 200, body: '[{"body":"<!-- backstay:r0 -->"}]' }
        : { status: 201, body: '{"url":"u"}' },
    );
    await runHook(hook(ticketFor(server.url)), context({ attempt: 2 }));
    expect(server.received.map(({ method }) => method)).toEqual(['GET', 'POST']);
  });

  test('that is refused fails with the reason of the API', async () => {
    await using server = await localServer(() => ({ status: 401, body: '{"message":"Bad credentials"}' }));
    await expect(runHook(hook(ticketFor(server.url)), context())).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: 'POST issues of acme/medical-kg answers 401: Bad credentials',
    });
  });
});

describe('a command hook', () => {
  const node = (script: string, env?: Record<string, string>): HookAction => ({
    kind: 'command',
    command: [process.execPath, '-e', script, '{{to}}; rm -rf /'],
    ...(env === undefined ? {} : { env }),
  });

  test('runs without a shell in the folder of the stack file, with the run in its environment', async () => {
    const script =
      "console.log(process.cwd(), process.argv[1], process.env.BACKSTAY_RUN, process.env.WHY, process.env.HOME ?? 'no home')";
    const { result } = await runHook(hook(node(script, { WHY: '{{reason}}' })), context());
    expect((result as { stdout: string }).stdout.trim()).toBe(`${baseDir} v1.2.2; rm -rf / r1 docling is slow no home`);
  });

  test('that ends with another code than 0 fails with its last line', async () => {
    const run = runHook(
      hook(node("console.error('first'); console.error('disk is full'); process.exit(3)")),
      context(),
    );
    await expect(run).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringMatching(/ended with 3: disk is full$/),
    });
  });
});

describe('a restart hook', () => {
  const restart: HookAction = { kind: 'restart', workloads: ['gateway'] };
  const rolling: FakeClusterOptions = {
    objects: [aDeployment('gateway')],
    onPatch: (object, cluster) => {
      // What a controller does: it sees the change a moment later.
      queueMicrotask(() =>
        cluster.put({
          ...object,
          status: { ...(object['status'] as object), observedGeneration: object.metadata.generation },
        }),
      );
    },
  };

  test('marks the pod template and waits until the controller is done', async () => {
    const cluster = fakeCluster(rolling);
    const { message } = await runHook(hook(restart), context({ cluster }));
    expect(message).toBe('restarted gateway');
    const [live] = [...cluster.objects.values()];
    expect(JSON.stringify(live?.['spec'])).toContain('"backstay.dev/restarted-for":"r1/it"');
  });

  test('restarts nothing a second time when it is repeated', async () => {
    const cluster = fakeCluster(rolling);
    await runHook(hook(restart), context({ cluster }));
    await runHook(hook(restart), context({ cluster, attempt: 2 }));
    expect(cluster.calls.filter((call) => call.startsWith('patch'))).toHaveLength(1);
  });

  test('says what is missing when the pods do not come in time', async () => {
    const cluster = fakeCluster({ objects: [aDeployment('gateway')] });
    await expect(runHook(hook(restart, 100), context({ cluster }))).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('has not seen the change'),
    });
  });

  test('gives up at once when the rollout is past its deadline', async () => {
    const conditions = [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }];
    const cluster = fakeCluster({
      objects: [aDeployment('gateway')],
      onPatch: (object, c) => c.put({ ...object, status: { observedGeneration: 99, conditions } }),
    });
    await expect(runHook(hook(restart), context({ cluster }))).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringContaining('deadline'),
    });
  });

  test('of a workload that is not there fails before anything is touched', async () => {
    const cluster = fakeCluster();
    await expect(runHook(hook(restart), context({ cluster }))).rejects.toMatchObject({
      message: 'there is no workload gateway in production',
    });
    expect(cluster.calls).toEqual([]);
  });
});
