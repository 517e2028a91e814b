import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleAction } from '../../scripts/action-bundle.ts';
import { type FakeService, fakeService, json } from '../client/fake-service.ts';
import { type Machine, machine, type Running } from '../support/backstay.ts';
import { echo, type RunAnswer, serviceOf, type Shop, shop } from '../support/shop.ts';

/** `backstay serve` where the cluster and the keys are; the command line on another machine that has neither. */
describe('a stack that is taken back from another machine', () => {
  let there: Shop;
  let here: Machine;
  let serving: Running;
  let github: FakeService;
  let env: Readonly<Record<string, string>>;
  const tokens = { bot: '', carla: '' };

  const served = async (running: Running): Promise<string> =>
    await new Promise((resolve, reject) => {
      let text = '';
      running.child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const url = /serves at (http:\S+)/.exec(text)?.[1];
        if (url !== undefined) resolve(url);
      });
      void running.ended.then(({ stderr }) => reject(new TypeError(`it ended:\n${stderr}`)));
    });
  const token = async (name: string, ...more: string[]): Promise<string> => {
    const made = ['token', 'create', name, '--role', 'operator', '--stack', '*', ...more];
    const { token: secret } = await there.machine.json<{ token: string }>(made);
    return secret;
  };
  const as = (who: keyof typeof tokens) => ({ env: { ...env, BACKSTAY_TOKEN: tokens[who] } });
  const image = async (): Promise<unknown> => {
    const { spec } = await there.get('Deployment', 'web');
    return (spec as { template: { spec: { containers: { image: string }[] } } }).template.spec.containers[0]?.image;
  };

  beforeAll(async () => {
    there = await shop(
      'remote',
      `  backstay:approvers: { cto: [nobody], lead: [lea] }
  backstay:severities:
    SEV-2: { approvers: [cto, lead], expires: 1h }
    SEV-4: { advice: Watch it. }
`,
    );
    await there.import('good', [echo(there.namespace, 'web', { tag: 'v1' }), serviceOf(there.namespace, 'web')]);
    await there.import('bad', [echo(there.namespace, 'web', { tag: 'v2' }), serviceOf(there.namespace, 'web')]);
    await there.machine.ok(['apply', there.name, '--to', 'bad', '--yes']);
    github = await issuer();
    const rule = {
      claims: { repository: 'acme/shop', environment: 'production' },
      role: 'operator',
      stacks: [there.name],
    };
    const settings = { oidc: [{ issuer: github.url, audience: 'backstay-production', rules: [rule] }] };
    await writeFile(join(there.machine.projectDir, 'backstay.service.yaml'), JSON.stringify(settings));
    tokens.bot = await token('bot');
    tokens.carla = await token('carla', '--approves', 'cto');
    // What somebody set for asking services is not for the service's own processes: they would ask, and nobody would act.
    const astray = { BACKSTAY_SERVER: 'http://127.0.0.1:1', BACKSTAY_TOKEN: 'bst_astray' };
    serving = there.machine.start(['serve', '--listen', '127.0.0.1:0'], { env: astray });
    env = { BACKSTAY_SERVER: await served(serving) };
    here = await machine();
  }, 180_000);
  afterAll(async () => {
    serving.child.kill('SIGTERM');
    await serving.ended;
    await github.close();
    await here.remove();
    await there.remove();
  });

  it('lists, shows and compares as the machine itself does', async () => {
    for (const args of [
      ['list', there.name],
      ['show', there.name, 'good'],
      ['diff', there.name, '--to', 'good'],
      ['history', there.name],
      ['approvals'],
    ]) {
      const [near, far] = [await there.machine.json<object>(args), await here.json<object>(args, as('bot'))];
      // A report's file is on that machine.
      const plain = (document: object): unknown =>
        JSON.parse(JSON.stringify(document, (key, value: unknown) => (key === 'report' ? undefined : value)));
      expect([args[0], plain(far)]).toEqual([args[0], plain(near)]);
    }
    expect((await here.run(['diff', there.name, '--to', 'good', '--detailed-exitcode'], as('bot'))).code).toBe(2);
  }, 120_000);

  it('lets nobody in without a token', async () => {
    expect(await here.refused(['list', there.name], { env })).toMatchObject({ exit: 7, code: 'ACCESS_UNPROVEN' });
  });

  it('plans, writes the plan, carries that one out and proves it; and takes it back again', async () => {
    const file = join(here.dir, 'plan.json');
    const asked = ['rollback', there.name, '--to', 'good', '--reason', 'slow', '--dry-run', '--out', file];
    await here.ok(asked, as('bot'));
    expect(await image()).toContain(':v2');
    const run = await here.json<RunAnswer>(['rollback', there.name, '--plan', file, '--yes'], as('bot'));
    expect(run.outcome).toBe('succeeded');
    expect(await image()).toContain(':v1');

    const report = await here.ok(['report', run.run], as('bot'));
    expect(report.stdout).toContain(run.run);
    const bundle = join(here.dir, 'evidence.tar.gz');
    const { copy } = await here.json<{ copy: string }>(['evidence', run.run, '--out', bundle], as('bot'));
    expect((await stat(copy)).size).toBeGreaterThan(0);
    const watched = await here.json<{ outcome: string; exitCode: number }>(['watch', run.run], as('bot'));
    expect(watched).toMatchObject({ outcome: 'succeeded', exitCode: 0 });

    const { code, stdout, stderr } = await here.run(
      ['undo', run.run, '--reason', 'it was the network', '--yes'],
      as('bot'),
    );
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('succeeded');
    expect(await image()).toContain(':v2');
    const near = await there.machine.json<{ items: { by: string }[] }>(['history', there.name]);
    expect(near.items[0]?.by).toMatch(/^token:bot@/);
    const { all } = await here.json<{ all: { runs: number } }>(['stats', there.name], as('bot'));
    expect(all.runs).toBeGreaterThanOrEqual(2);
  }, 180_000);

  it('waits for whoever may agree, and goes on by itself then', async () => {
    const asked = ['rollback', there.name, '--to', 'good', '--severity', 'SEV-2', '--reason', 'slow', '--yes'];
    const { code, stdout } = await here.run([...asked, '--output', 'json'], as('bot'));
    expect(code).toBe(6);
    const { run } = JSON.parse(stdout) as RunAnswer;
    const mine = await here.refused(['approve', run, '--yes'], as('bot'));
    expect(mine).toMatchObject({ exit: 7, code: 'APPROVAL_REFUSED' });
    const decided = await here.json<{ role: string; by: { user: string } }>(['approve', run, '--yes'], as('carla'));
    expect(decided).toMatchObject({ role: 'cto', by: { user: 'token:carla' } });
    expect(await here.json<object>(['watch', run], as('bot'))).toMatchObject({ outcome: 'succeeded' });
    expect(await image()).toContain(':v1');
  }, 120_000);

  it('is taken back by a pipeline that GitHub vouches for, and by none of another environment', async () => {
    await there.machine.ok(['apply', there.name, '--to', 'bad', '--allow-held', '--yes']);
    const bundle = await bundleAction(here.dir);
    const act = async (environment: string): Promise<{ readonly code: number; readonly said: string }> =>
      await new Promise((resolve) => {
        const inputs = {
          INPUT_ENVIRONMENT: environment,
          INPUT_SERVER: env['BACKSTAY_SERVER'],
          INPUT_STACK: there.name,
          INPUT_TARGET_REVISION: 'good',
        };
        const runner = {
          ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?environment=${environment}`,
          ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-runner',
        };
        const child = execFile(process.execPath, [bundle], { env: { ...inputs, ...runner } }, (_error, out, err) => {
          resolve({ code: child.exitCode ?? -1, said: out + err });
        });
      });
    const staging = await act('staging');
    expect(staging.code).toBe(1);
    expect(staging.said).toContain('::error title=ACCESS_UNPROVEN::');
    expect(await image()).toContain(':v2');
    const production = await act('production');
    expect(production).toMatchObject({ code: 0, said: expect.stringContaining('succeeded') as string });
    expect(await image()).toContain(':v1');
    const { items } = await there.machine.json<{ items: { trigger: string; by: string }[] }>(['history', there.name]);
    expect(items[0]).toMatchObject({ trigger: 'pipeline', by: expect.stringContaining('repo:acme/shop') as string });
  }, 120_000);

  it('says no token to anybody', async () => {
    // Once, where it was made.
    const said = [...here.transcript, ...there.machine.transcript].join('\n');
    for (const secret of Object.values(tokens)) expect(said.split(secret)).toHaveLength(2);
    const journal = await readFile(join(there.machine.stateDir, 'journal.sqlite'));
    for (const secret of Object.values(tokens)) expect(journal.includes(secret)).toBe(false);
  });
});

/** As GitHub does: keys that anybody may read, and tokens for whoever has the runner's secret. */
async function issuer(): Promise<FakeService> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const key = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  const server: FakeService = await fakeService(({ url, headers }, response) => {
    const asked = new URL(url, server.url);
    if (asked.pathname === '/.well-known/openid-configuration')
      return json(response, 200, { issuer: server.url, jwks_uri: `${server.url}/jwks` });
    if (asked.pathname === '/jwks') return json(response, 200, { keys: [key] });
    if (headers.authorization !== 'Bearer of-the-runner') return json(response, 401, {});
    const environment = asked.searchParams.get('environment') ?? '';
    const claims = { repository: 'acme/shop', environment };
    return void new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setIssuer(server.url)
      .setSubject(`repo:acme/shop:environment:${environment}`)
      .setAudience(asked.searchParams.get('audience') ?? '')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
      .then((value) => json(response, 200, { value }));
  });
  return server;
}
