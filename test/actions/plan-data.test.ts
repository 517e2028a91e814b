import { describe, expect, it } from 'vitest';
import { type DataRequest, planData } from '../../src/actions/plan-data.ts';
import { BackstayError } from '../../src/errors/index.ts';
import type { SchemaRevision, Snapshot, Stack } from '../../src/model/index.ts';
import { makePlan } from '../../src/plan/index.ts';
import type { DataStore } from '../../src/ports/index.ts';
import { aHook, aStack, fakeClock, OPTIONS } from '../rollback/builders.ts';
import { fakeServer, type FakeServer } from '../rollback/fake-stores.ts';

const schema = (revision: string): SchemaRevision => ({ store: 'main', tool: 'alembic', revision, heads: [revision] });

const target = (schemas?: readonly SchemaRevision[]): Snapshot =>
  ({ content: { images: [], ...(schemas === undefined ? {} : { schemas }) } }) as unknown as Snapshot;

const stackWith = (part: Partial<Stack> = {}): Stack =>
  aStack({
    stores: [
      {
        kind: 'postgres',
        name: 'main',
        tables: [],
        writers: [],
        connection: { database: 'main' },
        migrations: { tool: 'alembic', runs: { kind: 'local', folder: '/m' }, urlVariable: 'URL', irreversible: [] },
      },
    ],
    ...part,
  });

async function planned(server: FakeServer, request: Partial<DataRequest> = {}, stack = stackWith()) {
  // A plan that restores looks at what is live as well.
  const store = {
    ...server.store,
    inspect: async () => ({ rows: {} }),
    obstacles: async () => [],
  } as unknown as DataStore;
  return await planData(
    { target: target([schema('b2')]), scope: { kind: 'full' }, options: OPTIONS, ...request },
    { stack, clock: fakeClock(), dataStores: async () => [store], migrations: async () => [server.migrations] },
    ({ action }) => ({ ms: action.kind === 'migrate' ? 100 : 10, runs: 1 }),
  );
}

describe('what a plan does about data stores', () => {
  it('is the way that was chosen, with how long its steps took', async () => {
    const data = await planned(fakeServer());
    expect(data).toMatchObject({ restores: [], migrations: [{ store: 'main', way: { from: 'c3', to: 'b2' } }] });
    expect(data.scenarios).toMatchObject([{ scenario: 'B', expectedMs: 120 }]);
  });

  it('is nothing where the schema is that of the target, and where nobody says how a store is migrated', async () => {
    const nothing = { restores: [], migrations: [], scenarios: [], warnings: [] };
    expect(await planned(fakeServer(), { target: target([schema('c3')]) })).toEqual(nothing);
    const silent = stackWith({
      stores: stackWith().stores.map(({ ...store }) => (delete (store as { migrations?: unknown }).migrations, store)),
    });
    expect(await planned(fakeServer(), {}, silent)).toEqual(nothing);
  });

  it.each<[string, Partial<DataRequest>, readonly string[]]>([
    ['a release', { options: { ...OPTIONS, hold: false } }, []],
    ['flags alone', { scope: { kind: 'flags' } }, []],
    [
      'the application',
      { scope: { kind: 'application' } },
      ['the schema of main is at c3, and the target ran with b2: scope application leaves it alone'],
    ],
    [
      'named workloads',
      { scope: { kind: 'workloads', names: ['web'] } },
      ['the schema of main is at c3, and the target ran with b2: named workloads leaves it alone'],
    ],
  ])('is left by %s', async (_what, request, warnings) => {
    expect(await planned(fakeServer(), request)).toEqual({ restores: [], migrations: [], scenarios: [], warnings });
    const forced = { ...OPTIONS, ...request.options, data: { scenario: 'B' as const } };
    await expect(planned(fakeServer(), { ...request, options: forced })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('is chosen in an undo, but for stores that go back by an exchange', async () => {
    const options = { ...OPTIONS, hold: false };
    expect(await planned(fakeServer(), { options, undoes: 'r1' })).toMatchObject({ scenarios: [{ scenario: 'B' }] });
    expect(await planned(fakeServer(), { options, undoes: 'r1', exchanged: ['main'] })).toMatchObject({
      scenarios: [],
    });
  });

  it('is refused where live cannot be asked, naming the flag', async () => {
    const server = fakeServer();
    const { migrations } = server;
    Object.assign(migrations, {
      current: async () => await Promise.reject(new BackstayError('EXEC_UNAVAILABLE', 'no pod of web runs')),
    });
    await expect(planned(server)).rejects.toMatchObject({
      code: 'SCENARIO_UNDECIDED',
      message: expect.stringContaining('no pod of web runs'),
      next: expect.stringContaining('--scenario main=A'),
    });
    const forced = await planned(server, { options: { ...OPTIONS, data: { scenario: 'A' } } });
    expect(forced).toMatchObject({
      scenarios: [{ scenario: 'A', forcedBy: 'user' }],
      warnings: ['main keeps a schema that nobody has declared to fit the target'],
    });
  });

  it('restores the backup that was named, and says what its schema has to be', async () => {
    const server = fakeServer();
    await server.store.backup({ schema: schema('b2') });
    const data = await planned(server, { options: { ...OPTIONS, data: { restore: { main: 'backup-1' } } } });
    expect(data).toMatchObject({
      restores: [{ backup: 'backup-1', revision: 'b2' }],
      scenarios: [{ scenario: 'C', forcedBy: 'user' }],
    });
    const [whole] = server.backups;
    server.backups.push({ ...whole!, manifest: { ...whole!.manifest, id: 'some', tables: ['pages'] } });
    await expect(
      planned(server, { options: { ...OPTIONS, data: { restore: { main: 'some' } } } }),
    ).rejects.toMatchObject({ code: 'SCENARIO_UNDECIDED', message: expect.stringContaining('no whole backup some') });
    await expect(
      planned(server, { options: { ...OPTIONS, data: { restore: { main: 'nowhere' } } } }),
    ).rejects.toMatchObject({
      code: 'BACKUP_UNKNOWN',
    });
    await expect(
      planned(server, { options: { ...OPTIONS, data: { restore: { mian: 'backup-1' } } } }),
    ).rejects.toMatchObject({
      code: 'STORE_UNKNOWN',
    });
  });

  it('is in the plan: safeguarded before it is restored, under its hash, and never returned from by itself', async () => {
    const { restores, migrations, scenarios } = await planned(fakeServer());
    const input = {
      stack: stackWith(),
      clusterUid: 'c',
      createdAt: '2026-01-01T00:00:00.000Z',
      scope: { kind: 'full' as const },
      target: { id: 'sha256:1' as const, said: 'good', labels: [] },
      live: 'sha256:2' as const,
      foreign: [],
      changes: [],
      desired: [],
      warnings: [],
      rollingOut: new Set<never>(),
      options: OPTIONS,
      onInvalid: 'return' as const,
    };
    const plan = makePlan({ ...input, restores, migrations, scenarios });
    const steps = plan.steps.map(({ phase, id }) => `${phase} ${id}`);
    const at = (id: string): number => steps.indexOf(id);
    expect(at('safeguarded snapshot-before')).toBeLessThan(at('safeguarded db-backup:main'));
    expect(at('safeguarded db-backup:main')).toBeLessThan(at('safeguarded migrate-rehearse:main'));
    expect(at('safeguarded migrate-rehearse:main')).toBeLessThan(at('restored migrate:main'));
    expect(plan).toMatchObject({ scenarios, risk: 'high' });
    expect(plan.onInvalid).toBeUndefined();
    expect(plan.hash).not.toBe(makePlan({ ...input, restores, migrations, scenarios: [] }).hash);
    const stack = stackWith({ hooks: [{ ...aHook('reindex', 'restored'), scopes: ['database'] }] });
    const hooked = (more: object): readonly string[] =>
      makePlan({ ...input, stack, ...more }).steps.map(({ id }) => id);
    expect(hooked({ migrations })).toContain('hook:reindex');
    expect(hooked({ changes: [], options: { ...OPTIONS, force: { pods: true } }, hanging: ['k'] })).not.toContain(
      'hook:reindex',
    );
    const skipping = makePlan({
      ...input,
      migrations: migrations.map((one) => ({ ...one, skipBackup: true as const })),
    });
    expect(skipping.steps.map(({ id }) => id)).not.toContain('db-backup:main');
    expect(skipping.steps.find(({ id }) => id === 'migrate:main')?.dataLoss).toContain('no backup of this run');
  });
});
