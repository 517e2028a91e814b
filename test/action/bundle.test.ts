import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleAction } from '../../scripts/action-bundle.ts';
import { type Asked, type FakeService, fakeService, json } from '../client/fake-service.ts';
import { aPlan } from '../rollback/builders.ts';

const RUN = '20260101-120000-abcdef';
const PLAN = aPlan();
const event = (sequence: number, body: object): string =>
  `id: ${sequence}\nevent: x\ndata: ${JSON.stringify({ run: RUN, stack: 'medical-kg', sequence, time: '2026-01-01T12:00:00.000Z', ...body })}\n\n`;

/** The bundle as a runner starts it: one file, Node, and what GitHub sets. */
describe('the action', () => {
  let folder: string;
  let bundle: string;
  let service: FakeService | undefined;
  let github: FakeService;
  let issued = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'backstay-action-'));
    bundle = await bundleAction(folder);
    github = await fakeService(({ url, headers }, response) => {
      const audience = new URL(url, 'http://x').searchParams.get('audience');
      if (headers.authorization !== 'Bearer runner-secret') return json(response, 401, {});
      issued += 1;
      const claims = { aud: audience, exp: Math.floor(Date.now() / 1000) + 300, n: issued };
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      return json(response, 200, { value: `${part({ alg: 'none' })}.${part(claims)}.x` });
    });
  }, 120_000);
  afterEach(async () => {
    await service?.close();
    service = undefined;
  });
  afterAll(async () => {
    await github.close();
    await rm(folder, { recursive: true, force: true });
  });

  const claimsOf = ({ headers }: Asked): { readonly aud: string } =>
    JSON.parse(Buffer.from(headers.authorization?.split('.')[1] ?? '', 'base64url').toString()) as { aud: string };

  const act = async (inputs: Readonly<Record<string, string>>) => {
    const [output, summary] = [join(folder, 'output'), join(folder, 'summary')];
    await Promise.all([writeFile(output, ''), writeFile(summary, '')]);
    const env = {
      PATH: process.env['PATH'] ?? '',
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_ACTOR: 'anna',
      ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner-secret',
      INPUT_ENVIRONMENT: 'production',
      INPUT_STACK: 'medical-kg',
      ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
    };
    const ended = await new Promise<{ code: number; stdout: string }>((resolve) => {
      const child = execFile(process.execPath, [bundle], { env, cwd: folder }, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout: stdout + stderr });
      });
    });
    const said = await readFile(output, 'utf8');
    const outputs = Object.fromEntries(
      [...said.matchAll(/^(\w+)<<(\S+)\n(.*)\n\2$/gm)].map(([, name = '', , value = '']) => [name, value]),
    );
    return { ...ended, outputs, summary: await readFile(summary, 'utf8') };
  };

  /** Answers as the service does; `outcome` is that of the run. */
  const answering = async (outcome: string, exitCode: number): Promise<FakeService> =>
    await fakeService(({ method, url }, response) => {
      const path = url.split('?')[0] ?? '';
      if (path === '/v1/stacks/medical-kg/plans') return json(response, 201, { kind: 'planned', plan: PLAN });
      if (method === 'POST' && path === '/v1/runs') return json(response, 202, { run: RUN, state: 'queued' });
      if (path === `/v1/runs/${RUN}/events`) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(event(1, { type: 'run.started', target: 'v1.2.2', plan: PLAN.hash }));
        response.write(event(2, { type: 'run.message', level: 'info', message: '::error::not a command' }));
        return response.end('event: end\ndata: {}\n\n');
      }
      if (path === `/v1/runs/${RUN}`)
        return json(response, 200, { run: RUN, stack: 'medical-kg', plan: PLAN, outcome, exitCode, sequence: 2 });
      if (path === `/v1/runs/${RUN}/report`) {
        response.writeHead(200, { 'content-type': 'text/markdown' });
        return response.end('# What happened');
      }
      return json(response, 404, { code: 'ROUTE_UNKNOWN', detail: `there is nothing at ${path}` });
    });

  it('is one file that needs nothing beside it', async () => {
    expect(await readdir(folder)).toContain('index.js');
    expect((await readdir(folder)).filter((name) => name.endsWith('.js'))).toEqual(['index.js']);
  });

  it('plans, starts, tells and reports, as who GitHub says it is', async () => {
    service = await answering('succeeded', 0);
    const { code, stdout, outputs, summary } = await act({ server: service.url, reason: 'it is $(slow); `rm`' });
    expect({ code, outputs }).toEqual({
      code: 0,
      outputs: { plan: PLAN.hash, run: RUN, outcome: 'succeeded', exit_code: '0' },
    });
    const [planned, started] = service.asked;
    expect(JSON.parse(planned?.body ?? '')).toMatchObject({
      target: 'known-good',
      scope: { kind: 'application' },
      options: { reason: 'it is $(slow); `rm`' },
    });
    expect(JSON.parse(started?.body ?? '')).toEqual({ plan: PLAN.hash, trigger: 'pipeline' });
    expect(new Set(service.asked.map((asked) => claimsOf(asked).aud))).toEqual(new Set(['backstay-production']));
    // Every token is hidden before anything else is said with it, and no line of a run is a command.
    const token = service.asked[0]?.headers.authorization?.replace('Bearer ', '') ?? '?';
    expect(stdout.startsWith(`::add-mask::${token}\n`)).toBe(true);
    expect(stdout.split(token)).toHaveLength(2);
    expect(stdout).not.toMatch(/^\s*::error/m);
    expect(summary).toContain('the plan');
    expect(summary).toContain('# What happened');
  });

  it.each([
    ['mixed', 4],
    ['returned', 3],
  ])('fails the job when the run ends %s', async (outcome, exitCode) => {
    service = await answering(outcome, exitCode);
    const { code, stdout, outputs } = await act({ server: service.url });
    expect(code).toBe(1);
    expect(outputs).toMatchObject({ run: RUN, outcome, exit_code: String(exitCode) });
    expect(stdout).toContain(`::error title=Rollback::medical-kg: ${outcome} (exit ${exitCode})`);
  });

  it('changes nothing in a dry run', async () => {
    service = await answering('succeeded', 0);
    const { code, outputs } = await act({ server: service.url, dry_run: 'true' });
    expect({ code, outputs }).toEqual({ code: 0, outputs: { plan: PLAN.hash, outcome: 'planned', exit_code: '0' } });
    expect(service.asked.map(({ url }) => url)).toEqual(['/v1/stacks/medical-kg/plans']);
  });

  it('says what the service refuses, with its code and what to do', async () => {
    service = await fakeService((_asked, response) =>
      json(response, 403, { code: 'ACCESS_DENIED', detail: 'not production', next: 'Ask an admin.' }),
    );
    const { code, stdout, outputs } = await act({ server: service.url });
    expect({ code, outputs }).toEqual({ code: 1, outputs: { outcome: 'failed', exit_code: '7' } });
    expect(stdout).toContain('::error title=ACCESS_DENIED::not production Ask an admin.');
  });

  it('says what a job without an identity lacks, and asks no service', async () => {
    service = await answering('succeeded', 0);
    const env = { PATH: process.env['PATH'] ?? '', INPUT_ENVIRONMENT: 'production', INPUT_SERVER: service.url };
    const alone = await new Promise<string>((resolve) => {
      execFile(process.execPath, [bundle], { env, cwd: folder }, (_error, out) => resolve(out));
    });
    expect(alone).toContain('::error title=ACCESS_UNPROVEN::');
    expect(alone).toContain('id-token: write');
    expect(service.asked).toEqual([]);
  });
});
