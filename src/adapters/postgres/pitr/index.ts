import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError } from '../../../errors/index.ts';
import {
  type ArchiveSetting,
  type Backup,
  momentOf,
  microsOf,
  type PointInTimeSource,
  type RecoveryTarget,
} from '../../../model/index.ts';
import type { BackupAtOptions, BackupShelf, DataStore, Integrity } from '../../../ports/index.ts';
import { type Access, connected } from '../store/connection.ts';
import { filled, openArchive, type WalArchive } from './archive.ts';
import { type BaseFacts, basesIn, readBase, type UnusableBase } from './base.ts';
import { chooseWay, type RestorePoint } from './choose.ts';
import { type Account, accountFor, findServerPrograms, succeed } from './programs.ts';
import { recordsIn } from './records.ts';
import { copyBase, makeScratch, requireSpace, type Scratch, settle, strip } from './scratch.ts';
import { type RecoveredServer, recover } from './server.ts';
import { takeBase } from './take-base.ts';
import { positionOf, segmentAt, segmentName, timelineAt } from './wal.ts';
import { type LiveCluster, type Way, wayFrom } from './ways.ts';

export interface PointInTimeOptions {
  readonly archive: ArchiveSetting;
  /** Of the live server: which cluster it is, on which timeline, and as whom its copy is read. */
  readonly access: () => Promise<Access>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly shelf: Pick<BackupShelf, 'newId' | 'ofFullVolume'>;
  /** Takes an ordinary backup of what it is told, with what its manifest says besides. */
  readonly dump: (
    access: Access,
    of: { readonly takenAt: string; readonly source: PointInTimeSource },
    signal?: AbortSignal,
  ) => Promise<Backup>;
  readonly integrity: (access: Access) => Promise<Integrity>;
}

type PointInTime = Required<Pick<DataStore, 'windows' | 'takeBase' | 'backupAt'>>;

/** Bytes of the log beyond which a copy has thrown the first of it away again while it recovers. */
const LOG_KEPT = 2 ** 30;

const ROOM_TO_RECOVER =
  'Make room there, or name a folder on a larger volume with `archive.scratch` in the stack file: a copy of the whole server and its log lie there while it is recovered. The live server is as it was.';
const ROOM_FOR_BASES =
  'Make room there: base backups that nobody needs any more can be removed, folder by folder. The live server is as it was.';

/**
 * Moments of the past, from base backups and the write-ahead log: recovered in a copy of the cluster on this machine, which
 * is dumped and thrown away. The live server is asked who it is, and nothing else.
 */
export function pointInTime(options: PointInTimeOptions): PointInTime {
  const { archive: setting, env, shelf } = options;
  const parent = setting.scratch ?? tmpdir();
  const programs = async (major: number): Promise<string> => await findServerPrograms(major, env);
  const account = async (): Promise<Account | undefined> =>
    await accountFor(setting.wal.kind === 'folder' ? setting.wal.folder : undefined);

  const within = async <T>(work: (scratch: Scratch, as: Account | undefined) => Promise<T>): Promise<T> => {
    const as = await account();
    const scratch = await makeScratch(parent, as);
    try {
      return await work(scratch, as);
    } catch (error) {
      // Before the copy goes: how full its volume is says that it was this one.
      throw await shelf.ofFullVolume(error, [scratch.folder], ROOM_TO_RECOVER);
    } finally {
      await scratch.remove();
    }
  };
  const opened = (scratch: Pick<Scratch, 'staging'>, as: Account | undefined): WalArchive =>
    openArchive(setting, scratch.staging, { ...(as === undefined ? {} : { account: as }), ...fetching(setting, env) });

  return {
    windows: async () => {
      // What a program fetches is not known before it was fetched.
      if (setting.base.kind === 'command') return [{ base: setting.base.command[0] ?? '' }];
      const { folder } = setting.base;
      const live = await liveCluster(await options.access());
      const look = async (archive: WalArchive): Promise<readonly Way[]> =>
        await waysFrom(await basesIn(folder), { live, archive, programs });
      const ways =
        setting.wal.kind === 'folder'
          ? await look(opened({ staging: '' }, undefined))
          : await within(async (scratch, as) => await look(opened(scratch, as)));
      return ways.map(({ window }) => window);
    },
    takeBase: async (signal) => {
      if (setting.base.kind === 'command')
        throw new BackstayError('STORE_UNSUPPORTED', 'base backups are taken by another program, which fetches them', {
          next: 'Name their folder with `archive.base` in the stack file, or take one with that program.',
        });
      const { folder } = setting.base;
      const access = await options.access();
      const given = signal === undefined ? {} : { signal };
      const { name, bytes, systemIdentifier, major, timeline, start, end, segmentBytes } = await takeBase({
        access,
        folder,
        name: shelf.newId(),
        env,
        ...given,
      }).catch(async (error: unknown) => {
        throw await shelf.ofFullVolume(error, [folder], ROOM_FOR_BASES);
      });
      if (end !== undefined) {
        const last = segmentAt(positionOf(end) - 1n, segmentBytes);
        await untilArchived(access, segmentName(timeline, last, segmentBytes), signal);
      }
      return { name, bytes, systemIdentifier, major, timeline, start, ...(end === undefined ? {} : { end }) };
    },
    backupAt: async (target, wanted = {}) => {
      requireMoment(target);
      const access = await options.access();
      const live = await liveCluster(access);
      return await within(async (scratch, as) => {
        const archive = opened(scratch, as);
        const place: Place = { scratch, archive, live, setting, programs, ...given(as, wanted.signal) };
        const way = await chosen(target, place, env);
        return await recovered(way, target, place, access, wanted, options);
      });
    },
  };
}

interface Place {
  readonly scratch: Scratch;
  readonly archive: WalArchive;
  readonly live: LiveCluster;
  readonly setting: ArchiveSetting;
  readonly programs: (major: number) => Promise<string>;
  readonly account?: Account;
  readonly signal?: AbortSignal;
}

const given = (account: Account | undefined, signal: AbortSignal | undefined) => ({
  ...(account === undefined ? {} : { account }),
  ...(signal === undefined ? {} : { signal }),
});

/** A copy of the best base backup, whole as far as anything can tell, in the scratch folder. */
async function chosen(target: RecoveryTarget, place: Place, env: PointInTimeOptions['env']): Promise<Way> {
  const { scratch, setting, programs, account, signal } = place;
  const { base } = setting;
  if (base.kind === 'command') {
    await mkdir(scratch.data, { mode: 0o700 });
    const values = { d: scratch.data, t: target.kind === 'time' ? target.time : '' };
    const [program = '', ...args] = base.command.map((word) => filled(word, values));
    await succeed(program, args, { ...fetching(setting, env), cwd: scratch.folder, ...(signal ? { signal } : {}) });
    await settle(scratch.data, account, signal);
    const [way] = await waysFrom([scratch.data], place);
    if (way === undefined) throw new TypeError('no way from a base backup');
    const named = { ...way, window: { ...way.window, base: program } };
    const points = target.kind === 'time' ? undefined : await pointsOf([named], place);
    return verified(chooseWay(target, [named], points), place);
  }
  const ways = await waysFrom(await basesIn(base.folder), place);
  const way = chooseWay(target, ways, target.kind === 'time' ? undefined : await pointsOf(ways, place));
  const { bytes, segmentBytes, folder } = way.base;
  const log = Math.min(LOG_KEPT, (way.files.length + 3) * segmentBytes);
  await requireSpace(scratch.folder, bytes * 1.05 + log, `a copy of ${way.base.name}`);
  await copyBase(folder, scratch.data, account, signal);
  const bin = await programs(way.base.major);
  await requireUnchanged(way.base, scratch.data, bin, signal);
  await strip(scratch.data);
  return way;

  async function verified(found: Way, { programs: of }: Place): Promise<Way> {
    await requireUnchanged(found.base, scratch.data, await of(found.base.major), signal);
    await strip(scratch.data);
    return found;
  }
}

/** @throws BACKUP_DAMAGED naming the first files that are not what was copied */
async function requireUnchanged(base: BaseFacts, data: string, bin: string, signal?: AbortSignal): Promise<void> {
  if (!base.listed) return;
  const args = ['--no-parse-wal', data];
  await succeed(join(bin, 'pg_verifybackup'), args, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new BackstayError('BACKUP_DAMAGED', `base backup ${base.name}: ${(error as Error).message}`, {
      cause: error,
      next: 'Choose a moment that an older base backup reaches, or take a new one: `backstay db base STACK`.',
      details: { base: base.name, folder: base.folder },
    });
  });
}

async function recovered(
  way: Way,
  target: RecoveryTarget,
  place: Place,
  live: Access,
  { promote = false, signal }: BackupAtOptions,
  { dump, integrity, env }: PointInTimeOptions,
): Promise<Backup> {
  const { scratch, archive, setting, account } = place;
  const { user, database } = live.connection;
  const server = await recover({
    scratch,
    bin: await place.programs(way.base.major),
    target,
    timeline: place.live.timeline,
    restoreCommand: archive.restoreCommand,
    limits: larger(way.base.limits, place.live.limits),
    database,
    ...(user === undefined ? {} : { user }),
    ...fetching(setting, env),
    ...given(account, signal),
  });
  try {
    await requireWhole(server, promote, integrity, target);
    const { reached } = server;
    const at = target.kind === 'time' ? microsOf(target.time) : microsOf(reached.lastTransactionAt ?? '');
    const source: PointInTimeSource = {
      kind: 'point-in-time',
      target,
      reached,
      base: way.window.base,
      timeline: timelineAt(way.legs, positionOf(reached.lsn)),
      promoted: promote,
    };
    return await dump(server.access, { takenAt: momentOf(at ?? way.from ?? 0n), source }, signal);
  } finally {
    await server.stop();
  }
}

/** What was recovered has to fit together, before it is called a backup; once more as a server that takes writes. */
async function requireWhole(
  server: RecoveredServer,
  promote: boolean,
  integrity: PointInTimeOptions['integrity'],
  target: RecoveryTarget,
): Promise<void> {
  const paused = fitting(await integrity(server.access), target);
  if (!promote) return;
  await server.promote();
  const open = fitting(await integrity(server.access), target);
  const changed = Object.keys({ ...paused.rows, ...open.rows }).filter((name) => paused.rows[name] !== open.rows[name]);
  if (changed.length > 0)
    throw new BackstayError(
      'RECOVERY_FAILED',
      `as a server that takes writes it holds other rows: ${changed.join(', ')}`,
    );
}

function fitting(found: Integrity, target: RecoveryTarget): Integrity {
  if (found.problems.length === 0) return found;
  const wanted = target.kind === 'time' ? target.time : target.name;
  throw new BackstayError('RECOVERY_FAILED', `at ${wanted} it did not fit together: ${found.problems.join('; ')}`, {
    next: 'Choose another moment. Nothing was changed.',
    details: { problems: found.problems },
  });
}

async function waysFrom(
  folders: readonly string[],
  { live, archive, programs, signal }: Pick<Place, 'live' | 'archive' | 'programs' | 'signal'>,
): Promise<readonly Way[]> {
  const ways: Way[] = [];
  for (const folder of folders) {
    const base = await readBase(folder, programs, signal);
    ways.push(
      'problem' in base
        ? unusable(base)
        : await wayFrom(base, { live, archive, bin: await programs(base.major), ...(signal ? { signal } : {}) }),
    );
  }
  return ways;
}

/** Of a folder that is no base backup, nothing but that is known. */
function unusable({ name, folder, problem }: UnusableBase): Way {
  const base: BaseFacts = {
    name,
    folder,
    bytes: 0,
    systemIdentifier: '',
    major: 0,
    timeline: 0,
    start: '0/0',
    segmentBytes: 0,
    checkpointAt: 0,
    limits: {},
    listed: false,
  };
  return { base, legs: [], files: [], window: { base: name, problem } };
}

/** Undefined for an archive that cannot be read through. */
async function pointsOf(
  ways: readonly Way[],
  { archive, programs, signal }: Place,
): Promise<readonly RestorePoint[] | undefined> {
  if ((await archive.names()) === undefined) return undefined;
  const points: RestorePoint[] = [];
  const seen = new Set<string>();
  for (const { base, files } of ways) {
    for (const file of files) {
      const name = file.split('/').at(-1) ?? file;
      if (seen.has(name)) continue;
      seen.add(name);
      const records = await recordsIn(file, 'XLOG', await programs(base.major), signal);
      points.push(...records.filter((one) => one.kind === 'restore-point'));
    }
  }
  return points;
}

/** Looks at the server's own count, ten times a second for half a minute: it tells nobody when it has archived a file. */
const LOOKS = 300;
const BETWEEN_MS = 100;

/**
 * Until the server has archived the file of the log in which a copy ends, which pg_basebackup does not wait for: before that
 * nothing can be recovered from it. One that archives nothing, or cannot, is not waited for longer; its window tells.
 */
async function untilArchived(access: Access, file: string, signal?: AbortSignal): Promise<void> {
  await connected(access, async (client) => {
    for (let look = 0; look < LOOKS; look += 1) {
      const { rows } = await client.query<{ done: boolean }>(
        `SELECT current_setting('archive_mode') = 'off'
                OR coalesce(last_archived_wal ~ '^[0-9A-F]{24}$' AND last_archived_wal >= $1, false) AS done
           FROM pg_stat_archiver`,
        [file],
      );
      if (rows[0]?.done !== false) return;
      await delay(BETWEEN_MS, undefined, signal === undefined ? {} : { signal });
    }
  });
}

async function liveCluster(access: Access): Promise<LiveCluster> {
  return await connected(access, async (client) => {
    const { rows } = await client.query<{ id: string; timeline: string; limits: Record<string, number> }>(
      `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS id,
              CASE WHEN pg_is_in_recovery() THEN (SELECT to_hex(timeline_id) FROM pg_control_checkpoint())
                   ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline,
              (SELECT json_object_agg(name, setting::int) FROM pg_settings WHERE name = ANY($1)) AS limits`,
      [
        [
          'max_connections',
          'max_worker_processes',
          'max_wal_senders',
          'max_prepared_transactions',
          'max_locks_per_transaction',
        ],
      ],
    );
    const [row] = rows;
    if (row === undefined) throw new TypeError('a server that is no cluster');
    return { systemIdentifier: row.id, timeline: Number.parseInt(row.timeline, 16), limits: row.limits };
  });
}

/** Settings may have been raised or lowered since the base backup; a copy that has more of each can follow either way. */
function larger(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [name, Math.max(a[name] ?? 0, b[name] ?? 0)]),
  );
}

/** Programs that fetch from an archive find their own settings where the team put them. */
function fetching(
  { base, wal }: ArchiveSetting,
  env: PointInTimeOptions['env'],
): { readonly env?: Readonly<Record<string, string>> } {
  if (base.kind === 'folder' && wal.kind === 'folder') return {};
  return {
    env: Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
  };
}

function requireMoment(target: RecoveryTarget): void {
  if (target.kind === 'time' && microsOf(target.time) === undefined)
    throw new BackstayError('USAGE', `${target.time} is no moment: it needs date, time and offset.`, {
      next: 'Write it as 2026-01-31T12:00:00Z, or with +01:00 at its end.',
    });
}
