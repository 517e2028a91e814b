import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
