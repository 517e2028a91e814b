import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDead } from '../../../src/adapters/kubernetes/process-mark.ts';
import { type Cli, lockHolders, recover } from '../../../src/adapters/pulumi/stale-lock.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-lock-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Answers an export with this state, and remembers the calls. */
function cliWith(state: object): {
  readonly cli: Cli;
  readonly calls: string[];
  readonly imported: () => object | undefined;
} {
  const calls: string[] = [];
  let imported: object | undefined;
  const cli: Cli = async (args) => {
    calls.push(args.slice(0, 2).join(' '));
    const file = args[args.indexOf('--file') + 1] ?? '';
    if (args[1] === 'export') await writeFile(file, JSON.stringify(state));
    if (args[1] === 'import')
      imported = JSON.parse(await (await import('node:fs/promises')).readFile(file, 'utf8')) as object;
    return { stdout: '', stderr: '' };
  };
  return { cli, calls, imported: () => imported };
}

describe('who holds the lock', () => {
  it('is read from what the CLI says, every holder of several', () => {
    const said = `error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the lock file with \`pulumi cancel\`.
  file:///s/.pulumi/locks/organization/backstay/test/a.json: created by root@one.example (pid 41) at 2026-11-21T07:00:00Z
  file:///s/.pulumi/locks/organization/backstay/test/b.json: created by me@two (pid 42) at 2026-11-21T07:00:01Z`;
    expect(lockHolders(said)).toEqual([
      {
        file: '/s/.pulumi/locks/organization/backstay/test/a.json',
        user: 'root',
        host: 'one.example',
        pid: 41,
        at: Date.parse('2026-11-21T07:00:00Z'),
      },
      {
        file: '/s/.pulumi/locks/organization/backstay/test/b.json',
        user: 'me',
        host: 'two',
        pid: 42,
        at: Date.parse('2026-11-21T07:00:01Z'),
      },
    ]);
  });
  it('is nobody when the failure is another one', () => {
    expect(lockHolders('error: resource created by root@one (pid 41) is unhappy')).toEqual([]);
  });
});

describe('recovering', () => {
  it('waits for nobody who is dead, fetched by a parent or not', async () => {
    // The shell becomes a sleep, which fetches no child. What it started ends only then: a shell may fetch it.
    const child = 'until read -r name < /proc/$$/comm && [ "$name" = sleep ]; do :; done';
    const script = `(${child}) & echo $!; exec sleep 60`;
    const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [said] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(said.toString());
      await expect.poll(async () => await readFile(`/proc/${pid}/stat`, 'latin1')).toContain(') Z ');
      const file = join(dir, 'zombie.json');
      await writeFile(file, '{}');
      const { cli, calls } = cliWith({ deployment: {} });
      await recover([{ file, user: 'root', host: hostname(), pid }], 'test', dir, cli);
      expect(calls).toContain('cancel --yes');
      const here = { machine: 'm', pid: process.pid, life: 'a' };
      expect(isDead(here, { machine: 'm', pid, life: 'b' })).toBe(true);
      expect(isDead(here, { machine: 'm', pid: parent.pid ?? 0, life: 'b' })).toBe(false);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('waits for an engine that is about to end, then opens the stack and drops what was pending', async () => {
    const file = join(dir, 'lock.json');
    await writeFile(file, '{}');
    const { cli, calls, imported } = cliWith({
      version: 3,
      deployment: { resources: [{ urn: 'u' }], pending_operations: [{ type: 'creating' }] },
    });
    const recovering = recover([{ file, user: 'me', host: hostname(), pid: process.pid }], 'test', dir, cli);
    await rm(file);
    await recovering;
    expect(calls).toEqual(['cancel --yes', 'stack export', 'stack import']);
    expect(imported()).toEqual({ version: 3, deployment: { resources: [{ urn: 'u' }] } });
  });
  it('leaves the state as it is when nothing was pending', async () => {
    const { cli, calls } = cliWith({ version: 3, deployment: { resources: [] } });
    await recover([{ user: 'me', host: hostname(), pid: 2 ** 22 + 1 }], 'test', dir, cli);
    expect(calls).toEqual(['cancel --yes', 'stack export']);
  });
  it('touches nothing while a holder runs', async () => {
    const { cli, calls } = cliWith({});
    const holder = { user: 'me', host: hostname(), pid: process.pid };
    await expect(recover([holder], 'test', dir, cli)).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/still running/) as string,
    });
    expect(calls).toEqual([]);
  });
});
