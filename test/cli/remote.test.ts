import { chmod, mkdir, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { fakeService, type FakeService, json } from '../client/fake-service.ts';
import { aPlan } from '../rollback/builders.ts';
import { type Machine, machine } from '../support/backstay.ts';

const RUN = '20260101-120000-abcdef';
const PLAN = aPlan();

/** The command line of somebody who has no stack file, no cluster and no keys: a service has them. */
describe('the command line that asks a service', () => {
  let here: Machine;
  let service: FakeService | undefined;
  beforeAll(async () => {
    here = await machine();
  });
  afterEach(async () => {
    await service?.close();
    service = undefined;
  });
  afterAll(async () => await here.remove());

  const frame = (sequence: number, body: object): string => {
    const event = { run: RUN, stack: 'medical-kg', sequence, time: `2026-01-01T12:00:0${sequence}.000Z`, ...body };
    return `id: ${sequence}\nevent: x\ndata: ${JSON.stringify(event)}\n\n`;
  };
  const seen = (more: object): object => ({
    run: RUN,
    stack: 'medical-kg',
    plan: PLAN,
    phase: 'completed',
    startedAt: '2026-01-01T12:00:00.000Z',
    sequence: 3,
    ...more,
  });
  type Answers = Readonly<Record<string, (response: ServerResponse) => unknown>>;
  /** By method and path; a run that is planned, begun and told until `events` ends it. */
  const answering = async (answers: Answers): Promise<string> => {
    service = await fakeService(({ method, url }, response) => {
      const what = `${method} ${url.split('?')[0] ?? ''}`;
      const answer = answers[what];
      if (answer !== undefined) return answer(response);
      if (what === 'POST /v1/stacks/medical-kg/plans') return json(response, 201, { kind: 'planned', plan: PLAN });
      if (what === 'POST /v1/runs') return json(response, 202, { run: RUN, state: 'queued' });
      return json(response, 404, { code: 'ROUTE_UNKNOWN', detail: `there is nothing at ${what}` });
    });
    return service.url;
  };
  const told =
    (...frames: readonly string[]) =>
    (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return response.end([...frames, 'event: end\ndata: {}\n\n'].join(''));
    };
  const STARTED = frame(1, { type: 'run.started', target: 'v1.2.2', plan: PLAN.hash });
  const rollback = ['rollback', 'medical-kg', '--to', 'v1.2.2', '--reason', 'slow', '--yes'];

  it.each([
    ['succeeded', 0],
    ['mixed', 4],
    ['returned', 3],
  ])('carries a run to its end, told as it happens, and exits as one that ended %s', async (outcome, exitCode) => {
    const server = await answering({
      [`GET /v1/runs/${RUN}/events`]: told(STARTED, frame(2, { type: 'phase.entered', phase: 'locked' })),
      [`GET /v1/runs/${RUN}`]: (response) => json(response, 200, seen({ state: 'ended', outcome, exitCode })),
    });
    const { code, stdout, stderr } = await here.run(['--server', server, ...rollback]);
    expect(code).toBe(exitCode);
    expect(stderr).toContain('What will be done');
    expect(stderr).toContain(`run ${RUN} on medical-kg, target v1.2.2`);
    expect(stderr).toContain('locked');
    expect(stdout).toContain(`${outcome}  run ${RUN}`);
    expect(stdout).toContain(`backstay report ${RUN}`);
    expect(JSON.parse(service?.asked[0]?.body ?? '')).toMatchObject({
      target: 'v1.2.2',
      scope: { kind: 'full' },
      options: { reason: 'slow', hold: true },
    });
    expect(JSON.parse(service?.asked[1]?.body ?? '')).toEqual({ plan: PLAN.hash, trigger: 'person' });
  });

  it('ends as waiting where an approval is needed, and stays with --wait', async () => {
    const need = { type: 'approval.needed', severity: 'SEV-2', roles: ['cto'], count: 1, when: 'before' };
    const waits = frame(2, { ...need, until: '2026-01-01T13:00:00.000Z' });
    const answers: Answers = {
      [`GET /v1/runs/${RUN}/events`]: told(STARTED, waits, frame(3, { type: 'phase.entered', phase: 'locked' })),
      [`GET /v1/runs/${RUN}`]: (response) =>
        json(response, 200, seen({ state: 'waiting', next: `backstay approve ${RUN}` })),
    };
    const { code, stdout, stderr } = await here.run([...rollback], {
      env: { BACKSTAY_SERVER: await answering(answers) },
    });
    expect(code).toBe(6);
    expect(stdout).toContain('waiting');
    expect(stdout).toContain(`next: backstay approve ${RUN}`);
    expect(stderr).not.toContain('locked');
    await service?.close();
    const server = await answering({
      ...answers,
      [`GET /v1/runs/${RUN}`]: (response) =>
        json(response, 200, seen({ state: 'ended', outcome: 'succeeded', exitCode: 0 })),
    });
    const stayed = await here.run(['--server', server, ...rollback, '--wait']);
    expect(stayed.code).toBe(0);
    expect(stayed.stderr).toContain('locked');
  });

  it('asks the service to stop the run at the first Ctrl-C, and exits as a run that was stopped', async () => {
    let open: ServerResponse | undefined;
    const server = await answering({
      [`GET /v1/runs/${RUN}/events`]: (response) => {
        open = response;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(STARTED);
      },
      [`POST /v1/runs/${RUN}/cancel`]: (response) => {
        json(response, 202, { run: RUN });
        open?.end('event: end\ndata: {}\n\n');
      },
      [`GET /v1/runs/${RUN}`]: (response) =>
        json(response, 200, seen({ state: 'ended', outcome: 'cancelled', exitCode: 130 })),
    });
    const running = here.start(['--server', server, ...rollback]);
    await running.said('target v1.2.2');
    running.child.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    const cancelled = service?.asked.find(({ url }) => url.endsWith('/cancel'));
    expect(JSON.parse(cancelled?.body ?? '')).toEqual({ reason: 'SIGINT of the command that asked for it' });
  });

  it('leaves the run alone when watching is stopped', async () => {
    const server = await answering({
      [`GET /v1/runs/${RUN}/events`]: (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(STARTED);
      },
    });
    const running = here.start(['--server', server, 'watch', RUN]);
    await running.said('target v1.2.2');
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('the run is what it was');
    expect(service?.asked.every(({ method }) => method === 'GET')).toBe(true);
  });

  it('gives the same documents as JSON, and events line by line', async () => {
    const server = await answering({
      [`GET /v1/runs/${RUN}/events`]: told(STARTED),
      [`GET /v1/runs/${RUN}`]: (response) =>
        json(response, 200, seen({ state: 'ended', outcome: 'succeeded', exitCode: 0 })),
    });
    const { stdout } = await here.ok(['--server', server, ...rollback, '--output', 'jsonl']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly kind: string });
    expect(lines.map(({ kind }) => kind)).toEqual(['RunEvent', 'RunEvent', 'Rollback']);
    expect(lines[1]).toMatchObject({ type: 'run.ended', outcome: 'succeeded' });
    expect(lines[2]).toMatchObject({ result: 'ended', run: RUN, outcome: 'succeeded', exitCode: 0 });
  });

  it('refuses what the service refuses, with its code, its exit code and its advice', async () => {
    const server = await answering({
      'POST /v1/runs': (response) =>
        json(response, 409, { code: 'LEASE_HELD', detail: 'run r0 holds it', next: 'Wait.', details: { run: 'r0' } }),
    });
    const refused = await here.refused(['--server', server, ...rollback]);
    expect(refused).toMatchObject({ exit: 5, code: 'LEASE_HELD', message: 'run r0 holds it', next: 'Wait.' });
    expect(refused.details).toMatchObject({ run: 'r0', status: 409 });
  });

  it('writes a plan that was made there, and carries out just that one', async () => {
    const file = join(here.dir, 'plan.json');
    const server = await answering({
      [`GET /v1/runs/${RUN}/events`]: told(STARTED),
      [`GET /v1/runs/${RUN}`]: (response) =>
        json(response, 200, seen({ state: 'ended', outcome: 'succeeded', exitCode: 0 })),
    });
    await here.ok(['--server', server, ...rollback.slice(0, -1), '--dry-run', '--out', file]);
    expect(service?.asked.map(({ url }) => url)).toEqual(['/v1/stacks/medical-kg/plans']);
    await here.ok(['--server', server, 'rollback', 'medical-kg', '--plan', file, '--yes']);
    expect(JSON.parse(service?.asked[1]?.body ?? '')).toEqual({ plan: PLAN.hash, trigger: 'person' });
  });

  it.each([
    ['a verb that works on this machine alone', ['db', 'list', 'medical-kg'], 'REMOTE_UNSUPPORTED', '`backstay db'],
    ['a flag that is about this machine', [...rollback, '--timeout', '5m'], 'REMOTE_UNSUPPORTED', '--timeout'],
    ['a moment of the past', [...rollback, '--restore', 'main=@2026-01-01T12:00:00Z'], 'REMOTE_UNSUPPORTED', '@2026'],
    ['a cluster of our own', ['--context', 'prod', 'list', 'medical-kg'], 'USAGE', '--context'],
  ])('refuses %s, and asks nobody', async (_what, args, code, said) => {
    const server = await answering({});
    const refused = await here.refused(['--server', server, ...args]);
    expect(refused).toMatchObject({ exit: 64, code });
    expect(refused.message).toContain(said);
    expect(service?.asked).toEqual([]);
  });

  it('wants a yes before a run, where nobody can give one', async () => {
    const server = await answering({});
    const refused = await here.refused(['--server', server, ...rollback.slice(0, -1)]);
    expect(refused).toMatchObject({ exit: 64, code: 'CONFIRMATION_NEEDED' });
    expect(service?.asked).toEqual([]);
  });

  it('does what is about this machine here, whatever is asked elsewhere', async () => {
    const { code } = await here.run(['version'], { env: { BACKSTAY_SERVER: 'http://127.0.0.1:1' } });
    expect(code).toBe(0);
  });

  it('says for every command whether a service does it', () => {
    const local = COMMANDS.filter(({ remote }) => remote === undefined).map(({ name }) => name);
    // A new command is decided about here.
    expect(local.filter((name) => !name.startsWith('db '))).toEqual([
      'import-manifests',
      'release',
      'verify',
      'check',
      'finalize',
      'kept',
      'observe',
      'note',
      'doctor',
      'evidence verify',
      'evidence collect',
    ]);
  });

  describe('sends its token', () => {
    const TOKEN = 'bst_0123456789abcdef';
    const sent = (): string | undefined => service?.asked.at(-1)?.headers.authorization;
    const listing: Answers = { 'GET /v1/runs': (response) => json(response, 200, { items: [] }) };

    it('from the variable, and never shows it', async () => {
      const server = await answering({
        'GET /v1/runs': (response) => json(response, 401, { code: 'ACCESS_UNPROVEN', detail: 'it has expired' }),
      });
      const { code, stdout, stderr } = await here.run(['--server', server, 'history'], {
        env: { BACKSTAY_TOKEN: TOKEN },
      });
      expect(code).toBe(7);
      expect(sent()).toBe(`Bearer ${TOKEN}`);
      expect(stdout + stderr).not.toContain(TOKEN);
    });

    it('from a file that nobody else can read', async () => {
      const server = await answering(listing);
      const file = join(here.dir, 'token');
      await writeFile(file, `${TOKEN}\n`, { mode: 0o600 });
      await here.ok(['--server', server, 'history'], { env: { BACKSTAY_TOKEN_FILE: file } });
      expect(sent()).toBe(`Bearer ${TOKEN}`);
      await chmod(file, 0o644);
      const refused = await here.refused(['--server', server, 'history'], { env: { BACKSTAY_TOKEN_FILE: file } });
      expect(refused).toMatchObject({ exit: 7, code: 'KEY_EXPOSED' });
    });

    it('from the file of this service in its own folder, and to no other service', async () => {
      const server = await answering(listing);
      const folder = join(here.configDir, 'tokens');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, new URL(server).host.replace(':', '_')), TOKEN, { mode: 0o600 });
      await here.ok(['--server', server, 'history']);
      expect(sent()).toBe(`Bearer ${TOKEN}`);
      await service?.close();
      await here.ok(['--server', await answering(listing), 'history']);
      expect(sent()).toBeUndefined();
    });

    it('not over a connection that everybody can read', async () => {
      const refused = await here.refused(['--server', 'http://backstay.example', 'history'], {
        env: { BACKSTAY_TOKEN: TOKEN },
      });
      expect(refused).toMatchObject({ exit: 64, code: 'USAGE' });
      expect(JSON.stringify(refused)).not.toContain(TOKEN);
    });
  });
});
