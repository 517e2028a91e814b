import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeFileSync } from 'node:fs';
import { postgresStore } from '../../test/support/postgres-store.ts';
import { findClientTools } from '../../src/adapters/postgres/store/tools.ts';
import { createSystemClock } from '../../src/adapters/system/index.ts';
import type { Backup } from '../../src/model/index.ts';
import type { DataStore } from '../../src/ports/index.ts';
import { startTestPostgres, type TestPostgres } from '../../test/support/postgres-server.ts';
import type { Bench, BenchContext } from './bench.ts';
import { type Figure, ratio, sampled } from './figure.ts';
import { metered, run, type Usage, usageIn } from './process-times.ts';
import { fill } from './restore-data.ts';
import { gapsDuring } from './restore-clients.ts';
import { deltaRestore } from './restore-delta.ts';

const STACK = 'restore';
const DATABASE = 'books';
const ROUNDS = 5;
const CLIENTS = 12;
/** Connections of every tool, ours or not. */
const JOBS = 2;
/** As on a server that means it: what it confirms is on the disk. The rest keeps checkpoints out of the middle of a round. */
const SERVER = [
  'fsync=on',
  'shared_buffers=256MB',
  'maintenance_work_mem=128MB',
  'max_wal_size=8GB',
  'checkpoint_timeout=1h',
];

/** A database restored beside itself and exchanged: ours and the bare tools on one server, in turns, from the same files. */
export const restore: Bench = {
  name: 'restore',
  what: 'backing a database up, restoring it beside itself, and exchanging the two',
  async measure(context) {
    const server = await startTestPostgres(SERVER.flatMap((setting) => ['-c', setting]));
    try {
      return { figures: await measured(server, context) };
    } finally {
      await server.stop();
    }
  },
};

async function measured(server: TestPostgres, { home, say, sizeMB }: BenchContext): Promise<readonly Figure[]> {
  say(`filling a database of about ${sizeMB} MB`);
  await fill(server, DATABASE, sizeMB);
  const env = { ...home.env, BOOKS_PASSWORD: server.password };
  declare(home.dir, server);
  const used = join(home.dir, 'used');
  const usage = async (...args: readonly string[]): Promise<Usage> => {
    await home.cli(args, metered(env, used));
    return usageIn(used);
  };

  say('backing it up, and reading it back');
  const idle = await usage('db', 'list', STACK);
  const backedUp = await usage('db', 'backup', STACK, '--no-restore');
  const verified = await usage('db', 'verify', STACK, 'latest');
  const store = storeOf(server, join(home.dir, 'state', 'backups'));
  const backup = await store.find('latest');
  const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
  /** What the kernel counts for a process has its children in it: what pg_restore reads is left out. */
  const reads = (of: Usage, tools: number): number =>
    Number(((of.readBytes - idle.readBytes) / backup.manifest.file.bytes - tools).toFixed(2));

  const { ours, proven, bare } = await rounds(server, store, backup, say);
  say(`exchanging it under ${CLIENTS} clients that connect again and again`);
  const swaps = await exchanges(server, store, backup);
  const loaded = sampled(
    { name: 'restore.load', what: 'restored beside, its digest taken meanwhile', unit: 'ms' },
    ours,
  );
  const plain = sampled(
    { name: 'restore.bare', what: `createdb and pg_restore --jobs ${JOBS}, from the same files`, unit: 'ms' },
    bare,
  );
  const delta = await deltaRestore({
    server,
    database: DATABASE,
    folder: join(home.dir, 'pgbackrest'),
    jobs: JOBS,
    say,
  });
  return [
    loaded,
    plain,
    ...delta,
    { ...ratio('restore.ratio', 'ours to the bare tools', loaded, plain), atMost: 1.1 },
    sampled(
      { name: 'restore.proven', what: 'with counts, contents and statistics proven and gathered', unit: 'ms' },
      proven,
    ),
    sampled(
      { name: 'restore.unavailable', what: 'of the exchange: its own transaction', unit: 'ms', atMost: 1000 },
      swaps.unavailable,
    ),
    sampled(
      {
        name: 'restore.gap',
        what: `of the exchange: longest time that one of ${CLIENTS} clients got no answer`,
        unit: 'ms',
        atMost: 1000,
      },
      swaps.gaps,
    ),
    {
      name: 'restore.read-back',
      what: 'how often a backup reads what it wrote, for digest and unpacking together',
      unit: 'times',
      value: reads(backedUp, backup.manifest.files === undefined ? 1 : 0),
      atMost: 1.05,
    },
    {
      name: 'restore.read',
      what: "how often a restore reads the files beside pg_restore's own reading",
      unit: 'times',
      value: reads(verified, 1),
      atMost: 1.05,
    },
    { name: 'restore.dump', what: 'the dump itself', unit: 'MB', value: megabytes(backup.manifest.file.bytes) },
    {
      name: 'restore.memory',
      what: 'peak of the process that backs up, or restores and proves',
      unit: 'MB',
      value: megabytes(Math.max(backedUp.peakBytes, verified.peakBytes)),
      atMost: 250,
    },
  ];
}

/** In turns, each first in every second round; what was restored is dropped before the next begins. */
async function rounds(server: TestPostgres, store: DataStore, backup: Backup, say: BenchContext['say']) {
  const [ours, proven, bare]: [number[], number[], number[]] = [[], [], []];
  const own = async (round: number): Promise<void> => {
    await server.run('postgres', 'CHECKPOINT');
    const began = performance.now();
    const { loadMs } = await store.restoreBeside(backup, `bench${round}`);
    proven.push(performance.now() - began);
    ours.push(loadMs ?? Number.NaN);
    await store.finalize(`bench${round}`);
  };
  const others = async (): Promise<void> => {
    await server.run('postgres', 'CHECKPOINT');
    bare.push(await bareRestore(server, backup));
    await server.run('postgres', 'DROP DATABASE bare');
  };
  for (let round = 0; round < ROUNDS; round++) {
    say(`restoring, ${round + 1} of ${ROUNDS}`);
    for (const turn of round % 2 === 0 ? [own, others] : [others, own]) await turn(round);
  }
  return { ours, proven, bare };
}

async function bareRestore(server: TestPostgres, { folder, manifest }: Backup): Promise<number> {
  const { bin } = await findClientTools(Number(manifest.server.version.split('.')[0]), process.env);
  const env = {
    PATH: process.env['PATH'],
    PGHOST: '127.0.0.1',
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGPASSWORD: server.password,
  };
  const began = performance.now();
  await run(join(bin, 'createdb'), ['--template', 'template0', 'bare'], env);
  const dump = join(folder, manifest.file.name);
  await run(join(bin, 'pg_restore'), ['--exit-on-error', '--jobs', String(JOBS), '--dbname', 'bare', dump], env);
  return performance.now() - began;
}

async function exchanges(server: TestPostgres, store: DataStore, backup: Backup) {
  const [unavailable, gaps]: [number[], number[]] = [[], []];
  await store.restoreBeside(backup, 'swap');
  const acts = [async () => await store.swap('swap'), async () => await store.undoSwap('swap')];
  for (const act of acts) {
    const { result, longestMs } = await gapsDuring(server, DATABASE, CLIENTS, act);
    unavailable.push(result.unavailableMs);
    gaps.push(longestMs);
  }
  await store.finalize('swap');
  return { unavailable, gaps };
}

function storeOf(server: TestPostgres, root: string): DataStore {
  const connection = server.connection(DATABASE);
  return postgresStore({
    stack: STACK,
    setting: { name: 'main', kind: 'postgres', connection, tables: [], writers: [] },
    access: async () => ({ connection, password: server.password }),
    root,
    clock: createSystemClock(),
    env: process.env,
    jobs: JOBS,
  });
}

function declare(dir: string, server: TestPostgres): void {
  const connection = { ...server.connection(DATABASE), password: { env: 'BOOKS_PASSWORD' } };
  const config = {
    'backstay:namespaces': [STACK],
    'backstay:stores': [{ name: 'main', kind: 'postgres', connection }],
  };
  writeFileSync(join(dir, 'project', 'stacks', `Pulumi.${STACK}.yaml`), stringify({ config }));
}
