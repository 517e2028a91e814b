import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';

interface Approvals {
  readonly items: readonly { readonly run: string; readonly standing: string; readonly roles: readonly string[] }[];
}

/** S1 and K9: who has to agree depends on the severity; a plan is agreed to and carried out as it was written. */
describe('a run that somebody has to agree to', () => {
  let here: Shop;
  const CANARY = 'canary-5d1f7c';

  const configMap = (v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: here.namespace },
    data: { v },
  });
  const secret = (v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'account', namespace: here.namespace },
    data: { k: Buffer.from(v).toString('base64') },
  });
  const valueNow = async (): Promise<unknown> => (await here.get('ConfigMap', 'settings'))['data'];
  const by = (user: string) => ({ env: { BACKSTAY_USER: user } });
  const asking = (severity: string, ...more: string[]): string[] => {
    const fixed = ['rollback', here.name, '--to', 'good', '--severity', severity, '--yes', '--output', 'json'];
    return [...fixed, ...more];
  };
  const ask = async (severity: string, ...more: string[]): Promise<RunAnswer & { readonly exit: number }> => {
    const { code, stdout } = await here.machine.run(asking(severity, ...more));
    return { ...(JSON.parse(stdout) as RunAnswer), exit: code };
  };
  const listed = async (): Promise<Approvals['items']> =>
    (await here.machine.json<Approvals>(['approvals', here.name])).items;
  const planFile = async (): Promise<string> => {
    const file = join(here.machine.dir, `plan-${Math.random().toString(16).slice(2)}.json`);
    await here.machine.ok(['rollback', here.name, '--to', 'good', '--severity', 'SEV-4', '--dry-run', '--out', file]);
    return file;
  };

  beforeAll(async () => {
    here = await shop(
      'agreed',
      `  backstay:requireSeverity: true
  backstay:approvers: { platform-lead: [lea], cto: [carl] }
  backstay:severities:
    SEV-1: { approvers: [platform-lead], when: after, postMortem: 24h }
    SEV-2: { approvers: [platform-lead, cto], expires: 1h }
    SEV-3: { approvers: [cto], expires: 1500ms }
    SEV-4: { advice: Watch it and plan a fix. }
`,
    );
    await here.cluster.create(configMap('good'));
    await here.cluster.create(secret(CANARY));
    await here.capture(['--no-checks', '--as', 'good']);
  });
  beforeEach(async () => {
    await here.cluster.apply(configMap('bad'), { force: true });
    await here.cluster.apply(secret('other'), { force: true });
  });
  afterAll(async () => await here.remove());

  it('waits over the end of its process, and goes on once another person approved', async () => {
    const waiting = await ask('SEV-2');
    expect(waiting).toMatchObject({ exit: 6, outcome: 'waiting', next: `backstay approve ${waiting.run}` });
    expect(await listed()).toMatchObject([{ run: waiting.run, standing: 'waiting', roles: ['platform-lead', 'cto'] }]);
    expect((await here.machine.run(['resume', waiting.run, '--yes'])).code).toBe(6);
    const own = await here.machine.refused(['approve', waiting.run, '--yes']);
    expect(own).toMatchObject({ exit: 7, code: 'APPROVAL_REFUSED' });
    const other = await here.machine.refused(['approve', waiting.run, '--yes', '--plan', 'abcdef012345'], by('lea'));
    expect(other).toMatchObject({ exit: 7, code: 'APPROVAL_REFUSED' });
    expect(await valueNow()).toEqual({ v: 'bad' });
    const given = await here.machine.json<{ role: string; next: string }>(['approve', waiting.run, '--yes'], by('lea'));
    expect(given).toMatchObject({ role: 'platform-lead', next: `backstay resume ${waiting.run}` });
    const done = await here.machine.json<RunAnswer>(['resume', waiting.run, '--yes']);
    expect(done.outcome).toBe('succeeded');
    expect(await valueNow()).toEqual({ v: 'good' });
    expect(await listed()).toEqual([]);
  });

  it('is carried out by the process that waits', async () => {
    const run = here.machine.start(asking('SEV-2', '--wait'));
    await run.said('waits');
    const [item] = await listed();
    await here.machine.ok(['approve', item?.run ?? '', '--yes'], by('carl'));
    const { code, stdout } = await run.ended;
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(await valueNow()).toEqual({ v: 'good' });
  });

  it('is over when it is denied, or not approved in time', async () => {
    const waiting = await ask('SEV-2');
    const reason = ['--reason', 'not during the sale'];
    await here.machine.ok(['deny', waiting.run, '--yes', ...reason], by('carl'));
    const { code, stdout } = await here.machine.run(['resume', waiting.run, '--yes', '--output', 'json']);
    expect({ ...(JSON.parse(stdout) as object), exit: code }).toMatchObject({
      exit: 6,
      outcome: 'failed',
      reason: expect.stringContaining('sale'),
    });
    const late = await ask('SEV-3', '--wait');
    expect(late).toMatchObject({ exit: 6, outcome: 'failed', code: 'APPROVAL_EXPIRED' });
    expect(await here.machine.refused(['approve', late.run, '--yes'], by('carl'))).toMatchObject({ exit: 7 });
    expect(await valueNow()).toEqual({ v: 'bad' });
  });

  it('is refused where live moved while it waited', async () => {
    const waiting = await ask('SEV-2');
    await here.machine.ok(['approve', waiting.run, '--yes'], by('lea'));
    await here.cluster.apply(configMap('moved'), { force: true });
    const { code, stdout } = await here.machine.run(['resume', waiting.run, '--yes', '--output', 'json']);
    expect({ ...(JSON.parse(stdout) as object), exit: code }).toMatchObject({ exit: 7, outcome: 'failed' });
    expect(stdout).toContain('PLAN_STALE');
    expect(await valueNow()).toEqual({ v: 'moved' });
  });

  it.each([
    ['SEV-1', []],
    ['SEV-2', ['--break-glass', '--reason', 'everything is down']],
    ['SEV-2', ['--emergency']],
  ])('starts at once by %s %j, and the approval is due afterwards', async (severity, more) => {
    const done = await ask(severity, ...more);
    expect(done).toMatchObject({ exit: 0, outcome: 'succeeded' });
    expect(await listed()).toMatchObject([{ run: done.run, standing: 'due' }]);
    await here.machine.ok(['approve', done.run, '--yes'], by('lea'));
    expect(await listed()).toEqual([]);
  });

  it('needs nobody where the policy only advises, and a severity that the policy knows', async () => {
    expect(await ask('SEV-4')).toMatchObject({ exit: 0, outcome: 'succeeded' });
    expect(await here.machine.refused(['rollback', here.name, '--to', 'good', '--yes'])).toMatchObject({ exit: 64 });
    const unknown = await here.machine.refused(['rollback', here.name, '--to', 'good', '--yes', '--severity', 'SEV2']);
    expect(unknown).toMatchObject({ exit: 64, next: 'Did you mean --severity SEV-2?' });
  });

  it('carries out exactly the plan of a file, in which no secret stands', async () => {
    const file = await planFile();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    for (const value of [CANARY, Buffer.from(CANARY).toString('base64')]) expect(text).not.toContain(value);
    const done = await here.machine.json<RunAnswer>(['rollback', here.name, '--plan', file, '--yes']);
    expect(done.outcome).toBe('succeeded');
    expect(await valueNow()).toEqual({ v: 'good' });
  });

  it('refuses a plan file that was altered, and one after which live moved, unless it is planned again', async () => {
    const file = await planFile();
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"emergency": false', '"emergency": true'));
    const altered = await here.machine.refused(['rollback', here.name, '--plan', file, '--yes']);
    expect(altered).toMatchObject({ exit: 7, code: 'PLAN_ALTERED' });
    expect(altered.message).toContain('options.emergency was altered');
    await writeFile(file, text);
    await here.cluster.apply(configMap('moved'), { force: true });
    const stale = await here.machine.refused(['rollback', here.name, '--plan', file, '--yes']);
    expect(stale).toMatchObject({ exit: 7, code: 'PLAN_STALE' });
    expect(stale.stderr).toContain('data.v: bad → moved');
    expect(await valueNow()).toEqual({ v: 'moved' });
    const again = await here.machine.ok(['rollback', here.name, '--plan', file, '--replan', '--yes']);
    expect(again.stderr).toContain('~ change of configmap/settings');
    expect(await valueNow()).toEqual({ v: 'good' });
  });
});
