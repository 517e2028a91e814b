import { randomBytes } from 'node:crypto';
import { BackstayError } from '../../errors/index.ts';
import {
  type Backup,
  digestOf,
  isProven,
  type ProofRecord,
  type SqlServerStoreSetting,
  type StoreShape,
} from '../../model/index.ts';
import type { BackupShelf, Clock, DataStore } from '../../ports/index.ts';
import { assertAsWritten, assertCounts, contentsOf, countRows, markWhole, restoreAs, writeBackup } from './backup.ts';
import { drop, existing, finalize, namesOf, property, raiseFence, stateBy, swap, undoSwap, WHOLE } from './exchange.ts';
import { type Access, type Ask, describeConnection, identifier, literal, sqlcmd } from './sqlcmd.ts';

export { findSqlcmd } from './sqlcmd.ts';

export interface SqlServerStoreOptions {
  readonly stack: string;
  readonly setting: SqlServerStoreSetting;
  /** Where and how it is reached; asked before each act, for a way through the cluster may have to be opened. */
  readonly access: () => Promise<Access>;
  /** Where the manifests are; the backups themselves lie in the server's own folder. */
  readonly shelf: BackupShelf;
  readonly clock: Clock;
  /** Path of sqlcmd. */
  readonly program: () => string;
}

/** A SQL Server database, spoken to by `sqlcmd` alone. Its contract is tested against a stand-in for that program. */
export function createSqlServerStore(options: SqlServerStoreOptions): DataStore {
  const { stack, setting, access, shelf, clock, program } = options;
  const live = setting.connection.database;
  const now = (): string => new Date(clock.now()).toISOString();
  const asking = async (): Promise<Ask> => sqlcmd(program(), await access());
  const wholeOnly = (): BackstayError =>
    new BackstayError('STORE_UNSUPPORTED', `${setting.name}: a SQL Server database is taken back whole.`);
  const proven = (began: number, proof: ProofRecord['proof'], message: string): ProofRecord => ({
    proof,
    at: now(),
    durationMs: Math.round(performance.now() - began),
    message,
  });
  /** In a database of its own, dropped again. */
  const inTrial = async <T>(
    ask: Ask,
    path: string,
    use: (rows: Backup['manifest']['rows']) => T,
    signal?: AbortSignal,
  ): Promise<T> => {
    const trial = namesOf(live, `trial${randomBytes(4).toString('hex')}`).beside;
    try {
      return use(await restoreAs(ask, path, trial, signal));
    } finally {
      await drop(ask, trial);
    }
  };

  return {
    setting,
    inspect: async () => {
      const ask = await asking();
      const [[version = '', bytes] = []] = await ask(
        `SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)), SUM(CAST(size AS bigint)) * 8192 FROM sys.master_files WHERE database_id = DB_ID(${literal(live)})`,
      );
      return {
        server: describeConnection(setting.connection),
        version,
        bytes: Number(bytes),
        rows: await countRows(ask, live),
      };
    },
    sessions: async () => {
      const rows = await (await asking())(
        `SELECT s.program_name, s.login_name, c.client_net_address FROM sys.dm_exec_sessions s JOIN sys.dm_exec_connections c ON c.session_id = s.session_id WHERE s.is_user_process = 1 AND s.session_id <> @@SPID AND s.database_id = DB_ID(${literal(live)})`,
      );
      return rows.map(([application = '', user = '', address = '']) => ({ application, user, address }));
    },
    shape: async (database = live) => await shapeOf(await asking(), database),
    integrity: async (database = live) => {
      const ask = await asking();
      const problems = await ask(`DBCC CHECKDB (${literal(database)}) WITH NO_INFOMSGS, ALL_ERRORMSGS`).then(
        () => [],
        (error: unknown) => {
          if (error instanceof BackstayError && error.code === 'STORE_FAILED') return [error.message];
          throw error;
        },
      );
      return {
        rows: await countRows(ask, database),
        contents: await contentsOf(ask, database),
        problems,
        unknown: [],
      };
    },
    backups: async () => await shelf.list(),
    find: async (id) => await shelf.find(id),
    backup: async ({ signal, marker, tables } = {}) => {
      signal?.throwIfAborted();
      if (tables !== undefined) throw wholeOnly();
      const ask = await asking();
      return await shelf.add(async (id) => {
        const began = performance.now();
        const takenAt = now();
        const { path, bytes, digest } = await writeBackup(
          ask,
          live,
          `backstay-${stack}-${setting.name}-${id}.bak`,
          signal,
        );
        // Counted in what was written: in the live database others go on writing meanwhile.
        const rows = await inTrial(ask, path, (counted) => counted, signal);
        const [[version = '', server = ''] = []] = await ask(
          `SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)), CAST(SERVERPROPERTY('ServerName') AS nvarchar(200))`,
        );
        return {
          manifest: {
            apiVersion: 'backstay.dev/v1',
            kind: 'BackupManifest',
            id,
            stack,
            store: setting.name,
            engine: 'sqlserver',
            takenAt,
            durationMs: Math.round(performance.now() - began),
            database: live,
            server: { version, systemIdentifier: server },
            tool: 'sqlcmd',
            file: { name: path, bytes, digest },
            rows,
            ...(marker === undefined ? {} : { marker }),
          },
          proof: proven(began, 'read', `${bytes} bytes read by the server with their checksums`),
        };
      });
    },
    prove: async (backup, wanted, signal) => {
      if (isProven(backup, wanted)) return backup;
      signal?.throwIfAborted();
      const began = performance.now();
      const ask = await asking();
      await assertAsWritten(ask, backup, signal);
      if (wanted === 'read')
        return await shelf.record(backup, proven(began, 'read', 'read by the server, header as written'));
      await inTrial(ask, backup.manifest.file.name, (rows) => assertCounts(backup.manifest, rows), signal);
      return await shelf.record(backup, proven(began, 'restored', 'restored, checked (DBCC CHECKDB) and counted'));
    },
    obstacles: async ({ manifest }, tables) => {
      if (tables !== undefined) return [wholeOnly().message];
      const ask = await asking();
      const [[version = '', mayCreate, isMember] = []] = await ask(
        `SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(40)), HAS_PERMS_BY_NAME(NULL, NULL, 'CREATE ANY DATABASE'), (SELECT COUNT(*) FROM sys.databases WHERE name = ${literal(live)} AND (replica_id IS NOT NULL OR is_published = 1 OR is_cdc_enabled = 1))`,
      );
      return [
        ...(mayCreate === '1' ? [] : ['the login may not create databases (CREATE ANY DATABASE)']),
        ...(isMember === '0'
          ? []
          : [`${live} is part of an availability group, published or captured (CDC), and cannot be renamed`]),
        ...(major(manifest.server.version) > major(version)
          ? [`the backup is of version ${manifest.server.version}; the server is of ${version}`]
          : []),
      ];
    },
    restoreBeside: async (backup, run, signal, tables) => {
      signal?.throwIfAborted();
      if (tables !== undefined) throw wholeOnly();
      const began = performance.now();
      const ask = await asking();
      const { manifest } = backup;
      await assertAsWritten(ask, backup, signal);
      const names = namesOf(live, run);
      const state = stateBy(await existing(ask, names));
      if (state === 'swapped' || state === 'undone')
        throw new BackstayError('STORE_REFUSED', `run ${run} has exchanged ${live} already`);
      await raiseFence(ask, live, run);
      const isWhole = state === 'before' && (await property(ask, names.beside, WHOLE)) === manifest.id;
      const rows = isWhole
        ? await countRows(ask, names.beside)
        : await restoreAs(ask, manifest.file.name, names.beside, signal);
      assertCounts(manifest, rows);
      await markWhole(ask, names.beside, manifest.id);
      const proof = proven(
        began,
        'restored',
        isWhole
          ? `${names.beside} was restored before`
          : `${names.beside}: checked (DBCC CHECKDB), rows as when it was taken`,
      );
      return { backup: await shelf.record(backup, proof), database: names.beside, rows, proof };
    },
    swap: async (run) => await swap(await asking(), namesOf(live, run), run),
    undoSwap: async (run) => await undoSwap(await asking(), namesOf(live, run), run),
    finalize: async (run) => await finalize(await asking(), namesOf(live, run)),
    stateOf: async (run) => stateBy(await existing(await asking(), namesOf(live, run))),
  };
}

async function shapeOf(ask: Ask, database: string): Promise<StoreShape> {
  const at = identifier(database);
  const rows = await ask(
    `SELECT s.name, t.name, c.name, y.name, c.max_length, c.is_nullable FROM ${at}.sys.columns c JOIN ${at}.sys.tables t ON t.object_id = c.object_id JOIN ${at}.sys.schemas s ON s.schema_id = t.schema_id JOIN ${at}.sys.types y ON y.user_type_id = c.user_type_id WHERE t.is_ms_shipped = 0 ORDER BY s.name, t.name, c.name`,
  );
  const tables: Record<string, StoreShape['tables'][string]> = {};
  for (const [name, columns] of Map.groupBy(rows, ([schema, table]) => `${schema}.${table}`)) {
    const [[schema = '', table = ''] = []] = columns;
    const filled = columns.map(([, , column = '']) => `COUNT_BIG(${identifier(column)})`);
    const [[all, ...values] = []] = await ask(
      `SELECT COUNT_BIG(*), ${filled.join(', ')} FROM ${at}.${identifier(schema)}.${identifier(table)}`,
    );
    tables[name] = {
      rows: Number(all),
      columns: Object.fromEntries(
        columns.map(([, , column = '', type = '', length, nullable], index) => [
          column,
          { type: `${type}(${length})`, nullable: nullable === '1', filled: Number(values[index]) },
        ]),
      ),
    };
  }
  return { tables, schema: digestOf(rows) };
}

function major(version: string): number {
  return Number(version.split('.')[0]);
}
