import { describe, expect, it } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { fold, type JournalFact } from '../../../src/journal/index.ts';
import { reportOf } from '../../../src/rollback/index.ts';
import { journalOf } from '../../support/journal.ts';
import type { LossReport, PlanOptions, StepAction } from '../../../src/model/index.ts';
import { aPlan, aStep, OPTIONS } from '../builders.ts';
import { type FakeServer, fakeServer, wayBetween } from '../fake-stores.ts';
import { type Given, type Outcome, perform } from '../step-support.ts';

const WAY = wayBetween(2, 1);
const ACTIONS = {
  backup: { kind: 'db-backup', store: 'main', prove: 'read' },
  rehearse: { kind: 'migrate-rehearse', store: 'main', way: WAY },
  migrate: { kind: 'migrate', store: 'main', way: WAY },
  back: { kind: 'migrate-back', store: 'main', way: WAY },
} as const satisfies Record<string, StepAction>;

/** The steps of one run, each with the results of those before it. */
function runOn(server: FakeServer, options: Partial<PlanOptions> = {}) {
  const done: { action: StepAction; result: unknown }[] = [];
  const perform1 = async (action: StepAction, more: Pick<Given, 'attempt'> = {}): Promise<Outcome['result']> => {
    const { result } = await perform(action, {
      ...more,
      plan: { scope: { kind: 'full' }, options: { ...OPTIONS, ...options } },
      deps: { dataStores: async () => [server.store], migrations: async () => [server.migrations] },
      beforeSteps: done.map(({ action: each, result: seen }, at) => ({
        step: aStep(`${at}`, 'safeguarded', { action: each }),
        result: seen,
      })),
    });
    if (result.outcome === 'done') done.push({ action, result: result.result ?? {} });
    return result;
  };
  return perform1;
}

const live = (server: FakeServer): string => JSON.stringify(server.databases.get('main'));
const names = (server: FakeServer): readonly string[] => [...server.databases.keys()];

describe('a backup of a run', () => {
  it('is taken once, whoever begins again, and carries the run and the schema', async () => {
    const server = fakeServer();
    const run = runOn(server);
    expect(await run(ACTIONS.backup)).toMatchObject({
      outcome: 'done',
      touched: false,
      result: { backup: 'backup-1' },
    });
    expect(await run(ACTIONS.backup, { attempt: 2 })).toMatchObject({ result: { backup: 'backup-1' } });
    expect(server.backups).toHaveLength(1);
    expect(server.backups[0]?.manifest).toMatchObject({ marker: 'r1', schema: { revision: 'c3' } });
  });
});

describe('a rehearsal', () => {
  it('goes the way on a copy, proves the backup on it, and leaves nothing', async () => {
    const server = fakeServer();
    const run = runOn(server);
    const before = live(server);
    await run(ACTIONS.backup);
    expect(await run(ACTIONS.rehearse)).toMatchObject({
      outcome: 'done',
      message: expect.stringContaining('nothing is lost'),
    });
    expect(live(server)).toBe(before);
    expect(names(server)).toEqual(['main']);
    expect(server.backups[0]?.proofs.map(({ proof }) => proof)).toEqual(['read', 'restored']);
  });

  it('ends the run with nothing changed where something would be lost, and says the exact command', async () => {
    const server = fakeServer({ filled: { c3: 4 } });
    const run = runOn(server);
    const before = live(server);
    await run(ACTIONS.backup);
    const refused = await run(ACTIONS.rehearse);
    expect(refused).toMatchObject({ outcome: 'failed', touched: false, code: 'DATA_LOSS_UNACCEPTED' });
    const { report } = refused.result as unknown as { report: LossReport };
    const short = report.digest.slice('sha256:'.length, 'sha256:'.length + 12);
    expect(refused.message).toContain('main would lose pages.c3 (4 values). Nothing was changed.');
    expect(refused.message).toContain(
      `backstay rollback medical-kg --to v1.2.2 --scope full --accept-data-loss ${short}`,
    );
    expect(live(server)).toBe(before);
    expect(names(server)).toEqual(['main']);

    const accepting = runOn(server, { data: { acceptLoss: [short] } });
    await accepting(ACTIONS.backup);
    expect(await accepting(ACTIONS.rehearse)).toMatchObject({
      outcome: 'done',
      message: expect.stringContaining('lost, as accepted: pages.c3 (4 values)'),
    });
  });

  it('drops the copy that an earlier attempt left half migrated, and its own when it fails', async () => {
    const server = fakeServer();
    const run = runOn(server);
    await run(ACTIONS.backup);
    server.databases.set('main__r1-trial', { at: 0, filled: {} });
    expect(await run(ACTIONS.rehearse)).toMatchObject({ outcome: 'done' });
    server.onStep = () => {
      throw new BackstayError('MIGRATION_FAILED', 'a view depends on it');
    };
    await expect(run(ACTIONS.rehearse, { attempt: 2 })).rejects.toThrow('a view depends on it');
    expect(names(server)).toEqual(['main']);
    expect(server.databases.get('main')?.at).toBe(2);
  });

  it('refuses a backup whose schema is not where the way begins', async () => {
    const server = fakeServer();
    const run = runOn(server);
    server.databases.get('main')!.at = 1;
    await run(ACTIONS.backup);
    await expect(run(ACTIONS.rehearse)).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' });
  });
});

describe('a migration', () => {
  const safeguarded = async (server: FakeServer, options: Partial<PlanOptions> = {}) => {
    const run = runOn(server, options);
    await run(ACTIONS.backup);
    await run(ACTIONS.rehearse);
    server.acts.length = 0;
    return run;
  };

  it('goes the way once, however often it is begun', async () => {
    const server = fakeServer();
    const run = await safeguarded(server);
    expect(await run(ACTIONS.migrate)).toMatchObject({ outcome: 'done', result: { revision: 'b2' } });
    expect(await run(ACTIONS.migrate, { attempt: 2 })).toMatchObject({
      outcome: 'done',
      message: expect.stringContaining('earlier attempt'),
    });
    expect(server.acts).toEqual(['migrate main down c3']);
  });

  it('is not begun where live moved since the plan', async () => {
    const server = fakeServer();
    const run = await safeguarded(server);
    server.databases.get('main')!.at = 0;
    expect(await run(ACTIONS.migrate)).toMatchObject({ outcome: 'failed', touched: false, code: 'PLAN_STALE' });
    expect(server.acts).toEqual([]);
  });

  it('is not begun without a backup that was restored, but for the flag', async () => {
    const server = fakeServer();
    const unproven = runOn(server);
    expect(await unproven(ACTIONS.migrate)).toMatchObject({
      outcome: 'failed',
      touched: false,
      code: 'BACKUP_UNPROVEN',
    });
    await unproven(ACTIONS.backup);
    expect(await unproven(ACTIONS.migrate)).toMatchObject({
      outcome: 'failed',
      touched: false,
      code: 'BACKUP_UNPROVEN',
    });
    expect(server.databases.get('main')?.at).toBe(2);
    const skipping = runOn(server, { data: { skipBackup: true } });
    expect(await skipping(ACTIONS.migrate)).toMatchObject({ outcome: 'done' });
  });

  it('that changed nothing says so, and how to restore instead', async () => {
    const server = fakeServer();
    const run = await safeguarded(server);
    server.onStep = () => {
      throw new BackstayError('MIGRATION_FAILED', 'a view depends on it');
    };
    const failed = { outcome: 'failed', touched: false, code: 'MIGRATION_FAILED' };
    const without = await run(ACTIONS.migrate);
    expect(without).toMatchObject(failed);
    expect(without.message).toMatch(
      /^a view depends on it\. main is as it was\. There is no backup of main at b2\. .* --restore main=BACKUP/,
    );
    // The run's own is of the newer schema: it would lead nowhere.
    await server.store.backup({ schema: { ...(await server.migrations.current()), revision: 'b2', heads: ['b2'] } });
    const wanted = await run(ACTIONS.migrate, { attempt: 2 });
    expect(wanted).toMatchObject(failed);
    expect(wanted.message).toMatch(
      /To restore instead: backstay rollback .* --scenario main=C --restore main=backup-2/,
    );
  });

  it('that moved the schema or the revision is not taken for unchanged', async () => {
    const way = wayBetween(2, 0);
    const server = fakeServer();
    const run = runOn(server);
    await run(ACTIONS.backup);
    await run({ ...ACTIONS.rehearse, way });
    server.onStep = (database, revision) => {
      if (database === 'main' && revision === 'b2') throw new BackstayError('MIGRATION_FAILED', 'no.');
    };
    const result = await run({ ...ACTIONS.migrate, way });
    expect(result).toMatchObject({ outcome: 'failed', message: expect.stringContaining('main is at b2') });
    expect(result.touched).toBeUndefined();
    // A later attempt goes the rest.
    server.onStep = () => undefined;
    expect(await run({ ...ACTIONS.migrate, way }, { attempt: 2 })).toMatchObject({
      outcome: 'done',
      result: { revision: 'a1' },
    });
  });

  it('is done when only its answer was lost', async () => {
    const server = fakeServer();
    const run = await safeguarded(server);
    const { migrations } = server;
    const lossy: FakeServer = {
      ...server,
      migrations: {
        ...migrations,
        migrate: async (way, where) => {
          await migrations.migrate(way, where);
          throw new BackstayError('STORE_UNREACHABLE', 'the connection is gone');
        },
      },
    };
    Object.assign(server, { migrations: lossy.migrations });
    expect(await run(ACTIONS.migrate)).toMatchObject({
      outcome: 'done',
      message: expect.stringContaining('answer was lost'),
    });
  });
});

describe('taking a migration back', () => {
  const migrated = async (server: FakeServer, options: Partial<PlanOptions> = {}) => {
    const run = runOn(server, options);
    await run(ACTIONS.backup);
    const { result } = await run(ACTIONS.rehearse).then((first) => ({ result: first.result }));
    const { digest } = (result as unknown as { report: LossReport }).report;
    const accepting = runOn(server, { data: { acceptLoss: [digest] } });
    await accepting(ACTIONS.backup);
    await accepting(ACTIONS.rehearse);
    await accepting(ACTIONS.migrate);
    server.acts.length = 0;
    return accepting;
  };

  it('goes up again by the same code where nothing was lost', async () => {
    const server = fakeServer();
    const run = await migrated(server);
    expect(await run(ACTIONS.back)).toMatchObject({ outcome: 'done', message: 'at c3 again, by its own code' });
    expect(server.acts).toEqual(['migrate main up c3']);
    expect(await run(ACTIONS.back, { attempt: 2 })).toMatchObject({ outcome: 'done', message: 'at c3, as before' });
    expect(server.acts).toHaveLength(1);
  });

  it('makes the backup live where something was lost, for going up would bring it back empty', async () => {
    const server = fakeServer({ filled: { c3: 4 } });
    const run = await migrated(server);
    expect(server.databases.get('main')?.filled['c3']).toBe(0);
    expect(await run(ACTIONS.back)).toMatchObject({
      outcome: 'done',
      message: expect.stringContaining('backup backup-1 is live'),
    });
    expect(server.databases.get('main')).toMatchObject({ at: 2, filled: { c3: 4 } });
    expect(server.acts).toEqual(['restore backup-1 as main__r1', 'swap r1']);
    expect(await run(ACTIONS.back, { attempt: 2 })).toMatchObject({ outcome: 'done' });
    expect(server.acts).toHaveLength(2);
  });

  it('makes the backup live where going up fails', async () => {
    const server = fakeServer();
    const run = await migrated(server);
    server.onStep = () => {
      throw new BackstayError('MIGRATION_FAILED', 'it does not know the way');
    };
    expect(await run(ACTIONS.back)).toMatchObject({
      outcome: 'done',
      message: expect.stringContaining('backup backup-1 is live'),
    });
    expect(server.databases.get('main')?.at).toBe(2);
  });

  it('has nothing to do where nothing was migrated', async () => {
    const server = fakeServer();
    const run = runOn(server);
    await run(ACTIONS.backup);
    await run(ACTIONS.rehearse);
    server.acts.length = 0;
    expect(await run(ACTIONS.back)).toMatchObject({ outcome: 'done', message: 'at c3, as before' });
    expect(server.acts).toEqual([]);
  });

  it('cannot be done without a backup when the scripts fail, and says so', async () => {
    const server = fakeServer();
    const run = runOn(server, { data: { skipBackup: true } });
    await run(ACTIONS.migrate);
    server.onStep = () => {
      throw new BackstayError('MIGRATION_FAILED', 'it does not know the way');
    };
    await expect(run(ACTIONS.back)).rejects.toThrow('it does not know the way');
  });
});

describe('a restore', () => {
  it('is not for exchanging when its schema is not the one that was planned', async () => {
    const server = fakeServer();
    const backup = await server.store.backup();
    const { result } = await perform(
      {
        kind: 'db-restore',
        store: 'main',
        backup: backup.manifest.id,
        digest: backup.manifest.file.digest,
        revision: 'b2',
      },
      { plan: aPlan(), deps: { dataStores: async () => [server.store], migrations: async () => [server.migrations] } },
    );
    expect(result).toMatchObject({
      outcome: 'failed',
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('is at c3, not at b2'),
    });
    expect(names(server)).toEqual(['main']);
  });
});

describe('the report of a run that migrated', () => {
  it('tells what was lost as the rehearsal told it, and which guards were taken away', async () => {
    const server = fakeServer({ filled: { c3: 4 } });
    const run = runOn(server);
    await run(ACTIONS.backup);
    const { result } = await run(ACTIONS.rehearse);
    const steps = [
      aStep('rehearse', 'safeguarded', { action: ACTIONS.rehearse }),
      aStep('migrate', 'restored', { action: ACTIONS.migrate, dataLoss: 'what the rehearsal tells' }),
    ];
    const scenarios = [
      { store: 'main', scenario: 'B' as const, because: 'forced', forcedBy: 'user' as const, others: [] },
    ];
    const plan = aPlan({ steps, scenarios, options: { ...OPTIONS, data: { acceptLoss: ['0123456789ab'] } } });
    const facts: JournalFact[] = [
      { kind: 'run-created', plan, by: { user: 'ada', host: 'laptop' } },
      { kind: 'step-begin', step: 'rehearse', operation: 'a', attempt: 1 },
      { kind: 'step-end', step: 'rehearse', operation: 'a', outcome: 'done', result: result ?? null },
      { kind: 'step-begin', step: 'migrate', operation: 'b', attempt: 1 },
    ];
    const entries = journalOf(facts);
    const report = reportOf(fold(entries), entries);
    expect(report.dataLoss).toEqual([{ step: 'do migrate', what: 'pages.c3 (4 values)' }]);
    expect(report.overrides).toEqual(['--scenario main=B', '--accept-data-loss 0123456789ab']);
    expect(report.scenarios).toEqual(scenarios);
  });
});
