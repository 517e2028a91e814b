import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import { PROJECT } from '../support/backstay.ts';
import { type Shop, shop } from '../support/shop.ts';

const AT_TERMINAL = fileURLToPath(new URL('../support/at_terminal.py', import.meta.url));

/** A person at a terminal is asked to type the stack's name; nothing else counts as a yes. */
describe('a rollback at a terminal', () => {
  let here: Shop;
  let bad: string;

  const configMap = (v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: here.namespace },
    data: { v },
  });
  const valueNow = async (): Promise<unknown> => (await here.get('ConfigMap', 'settings'))['data'];

  const typing = async (answer: string): Promise<{ readonly code: number; readonly screen: string }> =>
    await new Promise((resolve, reject) => {
      const command = [`${PROJECT}/bin/backstay`, 'rollback', here.name, '--to', 'good'];
      const child = spawn('python3', [AT_TERMINAL, 'to go on: ', answer, ...command], {
        cwd: here.machine.projectDir,
        env: { ...here.machine.env, TERM: 'xterm' },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let screen = '';
      child.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? -1, screen }));
    });

  beforeAll(async () => {
    here = await shop('typed', '');
    await here.cluster.create(configMap('good'));
    await here.capture(['--no-checks', '--as', 'good']);
  });
  beforeEach(async () => {
    await here.cluster.apply(configMap('bad'), { force: true });
    bad = (await here.capture()).id;
  });
  afterAll(async () => await here.remove());

  it('shows the plan, asks for the name of the stack, and goes on when it is typed', async () => {
    const { code, screen } = await typing(here.name);
    expect({ code, screen }).toMatchObject({ code: 0 });
    expect(screen.indexOf('configmap/settings')).toBeLessThan(screen.indexOf('to go on: '));
    expect(screen).toContain('succeeded');
    expect(await valueNow()).toEqual({ v: 'good' });
  });

  it.each([
    ['yes', 'Not confirmed'],
    ['', 'Not confirmed'],
    ['typed', 'Not confirmed'],
  ])('takes "%s" for a no', async (answer, said) => {
    const { code, screen } = await typing(answer);
    expect(code).toBe(1);
    expect(screen).toContain(said);
    expect((await here.capture()).id).toBe(bad);
  });

  it.each(['^C', '^D'])('is left by %s with nothing changed', async (key) => {
    const { code, screen } = await typing(key);
    expect(code).toBe(130);
    expect(screen).toContain('the question was left');
    expect((await here.capture()).id).toBe(bad);
  });
});
