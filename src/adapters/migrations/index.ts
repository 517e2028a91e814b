import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { MigrationSetting, MigrationWay, SchemaRevision } from '../../model/index.ts';
import type { Clock, Cluster, Exec, MigrationDatabase, MigrationPlace, Migrations } from '../../ports/index.ts';
import { wantedBy } from './address.ts';
import { createAlembic } from './alembic.ts';
import { createCommand } from './command.ts';
import { createFlyway } from './flyway.ts';
import { createLocalRunner } from './local.ts';
import { createPodRunner } from './pod.ts';
import type { Runner } from './runner.ts';
import { createTable } from './table.ts';
import { APPLICATION, type MigrationTool, type ToolParts } from './tool.ts';
import { assertRest, assertReversible, digested, refused } from './way.ts';

export interface MigrationsOptions {
  /** Of the data store. */
  readonly store: string;
  readonly setting: MigrationSetting;
  readonly database: MigrationDatabase;
  readonly exec: Exec;
  /** Asked for only where migrations run in a pod. */
  readonly cluster: () => Promise<Cluster>;
  /** Where workloads are whose namespace is not named. */
  readonly namespace: string;
  readonly clock: Pick<Clock, 'monotonic'>;
}

const TOOLS: Readonly<Record<MigrationSetting['tool'], (parts: ToolParts) => MigrationTool>> = {
  alembic: createAlembic,
  flyway: createFlyway,
  table: createTable,
  command: createCommand,
};

/** Migrations by whatever tool: the rules of the port are kept here, the tools only tell and go. */
export function createMigrations(options: MigrationsOptions): Migrations {
  const { store, setting, database, clock } = options;
  const tool = TOOLS[setting.tool]({ setting, database, runner: runnerOf(options) });

  const current = async (where: MigrationPlace = {}): Promise<SchemaRevision> => {
    const heads = await tool.heads(where);
    return { store, tool: setting.tool, revision: heads[0] ?? null, heads };
  };
  const wayTo = async (to: string | null, where: MigrationPlace = {}): Promise<MigrationWay> => {
    const { digest, ...way } = await tool.way(to, where);
    const steps = way.steps.map((step) => ({
      ...step,
      reversible: step.reversible && !isNamed(setting, step.revision),
    }));
    // The stack file's word is part of what was planned as well.
    return digested({ ...way, steps }, digest);
  };

  return {
    store,
    setting,
    current,
    wayTo,
    known: async (where = {}) =>
      (await tool.known(where)).map((one) => ({
        ...one,
        reversible: one.reversible && !isNamed(setting, one.revision),
      })),
    migrate: async (way, { signal, ...where } = {}) => {
      const start = clock.monotonic();
      signal?.throwIfAborted();
      // What a killed attempt left at work could still end what it began, beside this one.
      await database.endSessions(APPLICATION, where);
      const now = await current(where);
      const done = (revision: SchemaRevision, output: string) => ({
        revision,
        output,
        durationMs: clock.monotonic() - start,
      });
      if (stands(now, way.to)) return done(now, '');
      const rest = await wayTo(way.to, where);
      assertRest(way, rest);
      assertReversible(rest);
      let output: string;
      try {
        output = await tool.go(rest, where, signal);
      } catch (error) {
        // The tool may have been left running in its pod, or its statement on the server.
        if (signal?.aborted === true || isTimeout(error))
          await database.endSessions(APPLICATION, where).catch(() => undefined);
        throw await told(error, where);
      }
      const after = await current(where);
      if (stands(after, way.to)) return done(after, output);
      throw new BackstayError(
        'MIGRATION_FAILED',
        `${setting.tool} ended well, and the schema is at ${nameOf(after)} instead of ${way.to ?? 'its beginning'}.`,
        { details: { store, revision: after.revision, output } },
      );
    },
  };

  /** With where the schema stands now, and who held the locks where that was the reason. */
  async function told(error: unknown, where: MigrationPlace): Promise<unknown> {
    if (!isBackstayError(error) || error.code !== 'MIGRATION_FAILED') return error;
    const now = await current(where).catch(() => undefined);
    const at = now === undefined ? 'where the schema stands cannot be told' : `the schema stands at ${nameOf(now)}`;
    const blocked = isLockTimeout(error) ? await holders(database, where).catch(() => []) : [];
    const by = blocked.length === 0 ? '' : ` Transactions are open in ${blocked.join(', ')}.`;
    return new BackstayError('MIGRATION_FAILED', `${error.message}; ${at}.${by}`, {
      cause: error,
      details: { ...error.details, store, revision: now?.revision ?? null, blockedBy: blocked },
      ...(by === '' ? {} : { next: 'End those sessions or wait for them, then try again.' }),
    });
  }
}

function runnerOf({ setting, exec, database, cluster, namespace }: MigrationsOptions): Runner {
  const { runs } = setting;
  const wanted = wantedBy(setting);
  // It stands in a line of a shell inside the pod.
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(wanted.variable))
    throw refused(`${wanted.variable} is no name of an environment variable.`, {
      next: 'Correct migrations.urlVariable.',
    });
  if (runs.kind === 'local') return createLocalRunner({ exec, database, folder: runs.folder, wanted });
  return createPodRunner({ cluster, database, runs, namespace, wanted });
}

function isNamed({ irreversible }: MigrationSetting, revision: string): boolean {
  return irreversible.includes(revision);
}

function stands({ revision, heads }: SchemaRevision, wanted: string | null): boolean {
  return heads.length <= 1 && revision === wanted;
}

function nameOf({ heads }: SchemaRevision): string {
  return heads.length === 0 ? 'its beginning' : heads.join(' and ');
}

function isTimeout(error: unknown): boolean {
  return isBackstayError(error) && error.code === 'TIMEOUT';
}

function isLockTimeout({ message, details }: BackstayError): boolean {
  return /lock timeout|LockNotAvailable|55P03/i.test(`${message} ${JSON.stringify(details ?? {})}`);
}

const HOLDERS = `SELECT pid, usename AS user, application_name AS application FROM pg_stat_activity
  WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' ORDER BY xact_start LIMIT 5`;

async function holders(database: MigrationDatabase, where: MigrationPlace): Promise<readonly string[]> {
  const rows = await database.transaction(where, async (sql) => await sql.query(HOLDERS));
  return rows.map(
    ({ pid, user, application }) => `${String(pid)} (${String(user)}, ${String(application) || 'no name'})`,
  );
}
