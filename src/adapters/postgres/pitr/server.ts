import { type ChildProcess, spawn } from 'node:child_process';
import { chown, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError } from '../../../errors/index.ts';
import { momentOf, microsOf, type PointInTimeSource, type RecoveryTarget } from '../../../model/index.ts';
import { type Access, connected } from '../store/connection.ts';
import { MAINTENANCE } from '../store/fence.ts';
import { type Account, capture } from './programs.ts';
import type { Scratch } from './scratch.ts';

export interface RecoveryRequest {
  readonly scratch: Scratch;
  /** Folder of the server's own programs. */
  readonly bin: string;
  readonly target: RecoveryTarget;
  readonly timeline: number;
  readonly restoreCommand: string;
  readonly limits: Readonly<Record<string, number>>;
  /** Whose rights the copy is read with. */
  readonly user?: string;
  readonly database: string;
  readonly account?: Account;
  /** For the programs that fetch from an archive. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A copy of a cluster, standing still at the moment that was wanted. */
export interface RecoveredServer {
  readonly access: Access;
  readonly reached: PointInTimeSource['reached'];
  /** Makes it a server that takes writes; nothing of it reaches an archive. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

/** Between two looks at a server that recovers, milliseconds. */
const AGAIN_MS = 50;

/**
 * Recovers a copy up to the target, and leaves it there. It listens on a Unix socket alone, in a folder that is its
 * account's own, and archives nothing, so that trial timelines never lie beside the real ones.
 * @throws RECOVERY_FAILED with the server's own reason
 */
export async function recover(request: RecoveryRequest): Promise<RecoveredServer> {
  const { scratch, bin, account, env, signal } = request;
  await configure(request);
  const log = await open(scratch.log, 'a');
  const args = ['-D', scratch.data, '-c', `config_file=${join(scratch.folder, 'server.conf')}`];
  const child = await launch(join(bin, 'postgres'), args, {
    ...account,
    cwd: scratch.data,
    env: { PATH: '/usr/bin:/bin', ...env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    // Without the checkpoint of an orderly end: what it leaves is thrown away.
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGQUIT');
    await exited;
  };
  const access: Access = {
    connection: {
      host: scratch.socket,
      port: PORT,
      database: request.database,
      ...(request.user === undefined ? {} : { user: request.user }),
    },
    password: undefined,
  };
  try {
    const reached = await untilPaused(access, child, request);
    signal?.throwIfAborted();
    return { access, reached, stop, promote: async () => await promote(access, scratch) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Nobody else listens in that folder. */
const PORT = 5432;

/** Settings of its own alone: those that came with the copy may archive, listen, or name files of the live server. */
async function configure({
  scratch,
  target,
  timeline,
  restoreCommand,
  limits,
  account,
}: RecoveryRequest): Promise<void> {
  const goal: Readonly<Record<string, string>> =
    target.kind === 'time'
      ? { recovery_target_time: postgresTime(target.time) }
      : { recovery_target_name: target.name };
  const settings: Readonly<Record<string, string | number>> = {
    listen_addresses: '',
    unix_socket_directories: scratch.socket,
    unix_socket_permissions: '0700',
    port: PORT,
    hba_file: join(scratch.folder, 'hba.conf'),
    ident_file: join(scratch.folder, 'ident.conf'),
    archive_mode: 'off',
    restore_command: restoreCommand,
    ...goal,
    recovery_target_inclusive: 'on',
    recovery_target_action: 'pause',
    recovery_target_timeline: timeline,
    hot_standby: 'on',
    wal_level: 'replica',
    ...limits,
    shared_buffers: '64MB',
    max_wal_size: '256MB',
    // What a power cut would leave of it is thrown away anyhow.
    fsync: 'off',
    full_page_writes: 'off',
    autovacuum: 'off',
    ssl: 'off',
    jit: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '',
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
  };
  const text = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(String(value))}\n`);
  await writeFile(join(scratch.folder, 'server.conf'), text.join(''), { mode: 0o600 });
  // Whoever gets into the folder of the socket is its account, or root.
  await writeFile(join(scratch.folder, 'hba.conf'), 'local all all trust\n', { mode: 0o600 });
  await writeFile(join(scratch.folder, 'ident.conf'), '', { mode: 0o600 });
  await writeFile(join(scratch.data, 'recovery.signal'), '', { mode: 0o600 });
  await writeFile(scratch.log, '', { mode: 0o600 });
  if (account === undefined) return;
  for (const name of ['server.conf', 'hba.conf', 'ident.conf', 'server.log', 'data/recovery.signal'])
    await chown(join(scratch.folder, name), account.uid, account.gid);
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

function postgresTime(time: string): string {
  const micros = microsOf(time);
  if (micros === undefined) throw new TypeError(`${time} is no moment`);
  return momentOf(micros).replace('T', ' ').replace('Z', '+00');
}

/** With setpriv, where it can do that, the server ends also when this process is killed and can no longer end it. */
async function launch(
  postgres: string,
  args: readonly string[],
  options: Parameters<typeof spawn>[2],
): Promise<ChildProcess> {
  const guard = ['--pdeathsig', 'INT'];
  const guarded = (await capture('setpriv', [...guard, 'true'], {})).code === 0;
  const [file, all] = guarded ? ['setpriv', [...guard, postgres, ...args]] : [postgres, [...args]];
  return spawn(file, all, options);
}

interface Standing {
  readonly recovering: boolean;
  readonly paused: boolean;
  readonly lsn: string | null;
  readonly last: string | null;
}

async function untilPaused(
  access: Access,
  child: ChildProcess,
  { scratch, target, database, signal }: RecoveryRequest,
): Promise<PointInTimeSource['reached']> {
  for (;;) {
    signal?.throwIfAborted();
    const log = await readFile(scratch.log, 'utf8');
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
      throw failed(whyItEnded(log), target, log);
    const stuck = /hot standby is not possible because of insufficient parameter settings[\s\S]*/.exec(log)?.[0];
    if (stuck !== undefined) throw failed(stuck.split('\n').slice(0, 2).join(' '), target, log);
    const now = await standing(access, log);
    if (now !== undefined) {
      if (!now.recovering) throw failed('the server went on beyond the target', target, log);
      // What it wrote on its way there may be newer than what was read above.
      if (now.paused) return proven(now, target, database, await readFile(scratch.log, 'utf8'));
    }
    await delay(AGAIN_MS, undefined, signal === undefined ? {} : { signal });
  }
}

/** Undefined while it cannot be asked. */
async function standing(access: Access, log: string): Promise<Standing | undefined> {
  try {
    return await connected(
      access,
      async (client) => {
        const { rows } = await client.query<Standing>(
          `SELECT pg_is_in_recovery() AS recovering, pg_last_wal_replay_lsn()::text AS lsn,
                  pg_last_xact_replay_timestamp()::text AS last,
                  CASE WHEN pg_is_in_recovery() THEN
                    ${await pausedExpression(client)} ELSE false END AS paused`,
        );
        return rows[0];
      },
      { database: MAINTENANCE },
    );
  } catch (error) {
    const { code } = (error as { readonly details?: { readonly code?: string } }).details ?? {};
    // At its end it has no more to learn: who is not known now was not known then.
    if (log.includes('pausing at the end of recovery') && (code?.startsWith('28') === true || code === '3D000'))
      throw error;
    return undefined;
  }
}

async function pausedExpression(client: {
  query(text: string): Promise<{ rows: { version: string }[] }>;
}): Promise<string> {
  const { rows } = await client.query(`SELECT current_setting('server_version_num') AS version`);
  // Before 14 the server told only that a pause was asked for; it asks for it at the target.
  return Number(rows[0]?.version) >= 140_000
    ? `pg_get_wal_replay_pause_state() = 'paused'`
    : 'pg_is_wal_replay_paused()';
}

/** That it stands still says nothing yet: it has to stand at the target, and hold nothing that came later. */
function proven(now: Standing, target: RecoveryTarget, database: string, log: string): PointInTimeSource['reached'] {
  const said = /^.*recovery stopping (?:before|after|at) .*$/m.exec(log)?.[0].replace(/^LOG: +/, '');
  if (said === undefined) throw failed('it paused, and not at the target', target, log);
  const last = now.last === null ? undefined : microsOf(now.last);
  if (target.kind === 'time') {
    const wanted = microsOf(target.time);
    if (wanted === undefined || (last !== undefined && last > wanted))
      throw failed(`it holds transactions up to ${now.last ?? ''}`, target, log);
  } else if (!said.includes(`recovery stopping at restore point "${target.name}"`)) {
    throw failed(`it stopped elsewhere: ${said}`, target, log);
  }
  if (now.lsn === null) throw failed(`nothing of the log was replayed for ${database}`, target, log);
  return { lsn: now.lsn, said, ...(last === undefined ? {} : { lastTransactionAt: momentOf(last) }) };
}

async function promote(access: Access, scratch: Scratch): Promise<void> {
  const fine = await connected(access, async (client) => {
    await client.query('SELECT pg_promote(true, 600)');
    const { rows } = await client.query<{ recovering: boolean; archiving: string }>(
      `SELECT pg_is_in_recovery() AS recovering, current_setting('archive_mode') AS archiving`,
    );
    return rows[0]?.recovering === false && rows[0].archiving === 'off';
  });
  if (fine) return;
  const log = await readFile(scratch.log, 'utf8');
  throw new BackstayError('RECOVERY_FAILED', `the copy could not be made one that takes writes: ${whyItEnded(log)}`);
}

/** The reason among the last lines of a server's log. */
export function whyItEnded(log: string): string {
  const lines = log.split('\n');
  const reason = lines.findLast((line) => /^(?:FATAL|PANIC):/.test(line) && !line.includes('terminating connection'));
  const place = lines.findLast((line) =>
    /from different database system|No space left on device|could not restore file/.test(line),
  );
  return (
    [reason?.replace(/^\w+: +/, ''), place?.replace(/^\w+: +/, '')].filter(Boolean).join('; ') || 'it gave no reason'
  );
}

function failed(why: string, target: RecoveryTarget, log: string): BackstayError {
  const wanted = target.kind === 'time' ? target.time : `restore point ${target.name}`;
  const last = /last completed transaction was at log time (.*)/.exec(log)?.[1];
  const far = last === undefined ? '' : `; the last transaction in the log is of ${last}`;
  return new BackstayError('RECOVERY_FAILED', `the copy did not come to ${wanted}: ${why}${far}`, {
    details: { target: wanted, log: log.split('\n').slice(-12) },
  });
}
