import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compose, openService } from '../../src/compose.ts';
import type { Sighting } from '../../src/model/index.ts';
import { nextEntry } from '../contracts/journal-store.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { type JournalServer, journalServer } from '../support/journal-server.ts';
import { aStackFile, testService } from '../support/service.ts';
import { configMap, newSnapshot, secret } from '../support/snapshots.ts';

const now = (): string => new Date().toISOString();

describe('a service', () => {
  test('sees stack files as they are now', async () => {
    const { deps, machine: here, close } = await testService({ stacks: { shop: aStackFile() } });
    expect(await deps.stackNames()).toEqual(['shop']);
    expect((await deps.stack('shop')).namespaces).toEqual(['shop']);
    await here.stack('shop', aStackFile('', 'market'));
    await here.stack('books', aStackFile());
    await here.stack('broken', 'config:\n  backstay:namespaces: 7\n');
    expect(await deps.stackNames()).toEqual(['books', 'broken', 'shop']);
    expect((await deps.stack('shop')).namespaces).toEqual(['market']);
    await expect(deps.stack('broken')).rejects.toMatchObject({ code: 'STACK_INVALID' });
    await expect(deps.withStack('nobody', deps.by, async () => 1)).rejects.toMatchObject({ code: 'STACK_UNKNOWN' });
    await close();
  });

  test('names whoever acts in what they do to a stack, and itself where nobody does', async () => {
    const { deps, machine: here, close } = await testService({ stacks: { demo: aStackFile('', 'production') } });
    await here.ok(['keys', 'init', 'demo']);
    const by = { user: 'token:deploy-bot', host: 'somewhere' };
    const stored = await deps.withStack('demo', by, async ({ store, stack }) => {
      const composition = await compose({ stack: 'demo', env: here.env, cwd: here.projectDir });
      const hasher = await composition.hasher();
      const sighting = await store.put('demo', newSnapshot({ hasher, stack, now }, [configMap('a', {})]));
      await composition.close();
      return sighting;
    });
    expect(stored.record.by).toMatchObject(by);
    expect(deps.by.user).toBe('service');
    await close();
  }, 60_000);

  test('keeps its records beside the journal, and every service of the machine sees both', async () => {
    const service = await testService();
    const other = await service.another();
    await service.deps.records.put('claim', 'r1', 0, 'mine');
    await service.deps.journal.append(nextEntry('r1'));
    expect(await other.records.get('claim', 'r1')).toMatchObject({ value: 'mine' });
    expect(await other.journal.read('r1')).toHaveLength(1);
    expect((await readdir(service.machine.stateDir)).filter((name) => name.endsWith('.sqlite'))).toEqual([
      'journal.sqlite',
    ]);
    await service.close();
  });
});

describe('snapshots of several machines', () => {
  let server: JournalServer;
  const machines: Machine[] = [];
  const shared = async (env: Readonly<Record<string, string>>): Promise<Machine> => {
    const here = await machine({ env });
    machines.push(here);
    await here.stack('demo', aStackFile('', 'production'));
    return here;
  };
  beforeAll(async () => {
    server = await journalServer();
  });
  afterAll(async () => {
    await Promise.all(machines.map(async (here) => await here.remove()));
    await server.stop();
  });

  test.each(['journal', 'url'])(
    'are stored by one and listed and verified by the other (%s)',
    async (how) => {
      const url = await server.database();
      const env: Record<string, string> =
        how === 'url' ? { BACKSTAY_SNAPSHOTS_URL: url } : { BACKSTAY_DATABASE_URL: url, BACKSTAY_SNAPSHOTS: 'journal' };
      const one = await shared(env);
      await one.ok(['keys', 'init', 'demo']);
      const two = await shared({ ...env, BACKSTAY_CONFIG_DIR: one.configDir });
      const composition = await compose({ stack: 'demo', env: one.env, cwd: one.projectDir });
      const hasher = await composition.hasher();
      const { store, stack } = composition;
      const { record }: Sighting = await store.put(
        'demo',
        newSnapshot({ hasher, stack, now }, [configMap('a', {}), secret('db', { password: 'canary' })]),
      );
      await composition.close();
      expect((await two.ok(['list', 'demo', '--output', 'json'])).stdout).toContain(record.id);
      await two.ok(['verify', 'demo']);
      await expect(readdir(one.snapshotsDir)).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(readdir(two.snapshotsDir)).rejects.toMatchObject({ code: 'ENOENT' });
    },
    120_000,
  );

  test.each([
    [{ BACKSTAY_SNAPSHOTS: 'journal' }, /needs BACKSTAY_DATABASE_URL/],
    [{ BACKSTAY_SNAPSHOTS: 's3' }, /neither files nor journal/],
    [{ BACKSTAY_SNAPSHOTS_URL: 'https://ada:hunter2@example' }, /BACKSTAY_SNAPSHOTS_URL is not a PostgreSQL URL/],
  ])('are refused with settings such as %o', async (env, message) => {
    const here = await shared(env);
    const opening = compose({ stack: 'demo', env: here.env, cwd: here.projectDir });
    await expect(opening).rejects.toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
    await expect(opening).rejects.not.toThrow('hunter2');
  });

  test('are not needed by a service whose journal is away: it says so at once', async () => {
    const here = await shared({ BACKSTAY_DATABASE_URL: 'postgres://ada:hunter2@127.0.0.1:1/x' });
    await expect(openService({ env: here.env, cwd: here.projectDir })).rejects.toMatchObject({
      code: 'JOURNAL_UNREACHABLE',
    });
  });
});
