import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Account } from './account.ts';

export interface DataOptions {
  readonly bin: string;
  /** Owned by the account. */
  readonly data: string;
  readonly account: Account | undefined;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly env: Readonly<Record<string, string>>;
}

const CLUSTER = 'pgdata';
const UNFINISHED = 'unfinished-';

/** Pods reach each other from any loopback address, always with a password. */
const HBA = `# TYPE DATABASE USER ADDRESS METHOD
host all all 127.0.0.0/8 scram-sha-256
host replication all 127.0.0.0/8 scram-sha-256
`;

/**
 * The cluster's own folder, made when it is not there yet: beside its place and moved there only when it is complete,
 * so that being killed half-way leaves no half a database. Throws with initdb's own words.
 */
export function ensureData(options: DataOptions): string {
  const { data, account, database, bin } = options;
  const cluster = join(data, CLUSTER);
  for (const name of readdirSync(data))
    if (name.startsWith(UNFINISHED)) rmSync(join(data, name), { recursive: true, force: true });
  if (existsSync(join(cluster, 'PG_VERSION'))) return cluster;
  const unfinished = mkdtempSync(join(data, UNFINISHED));
  if (account !== undefined) chownSync(unfinished, account.uid, account.gid);
  const passwordFile = `${unfinished}.password`;
  writeFileSync(passwordFile, options.password, { mode: 0o600 });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  try {
    const encoding = ['--encoding=UTF8', '--locale=C.UTF-8'];
    const made = run(options, 'initdb', [
      '-D',
      unfinished,
      '-U',
      options.user,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--no-sync',
      '--no-instructions',
      ...encoding,
    ]);
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr.trim() || made.stdout.trim()}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileSync(join(unfinished, 'pg_hba.conf'), HBA);
  if (database !== 'postgres') {
    const created = run(
      options,
      'postgres',
      ['--single', '-c', 'fsync=off', '-D', unfinished, 'postgres'],
      `CREATE DATABASE "${database.replaceAll('"', '""')}"\n`,
    );
    if (created.status !== 0 || /ERROR|FATAL/.test(created.stderr))
      throw new Error(`database ${database} could not be made in ${bin}: ${created.stderr.trim()}`);
  }
  renameSync(unfinished, cluster);
  return cluster;
}

function run(
  { bin, account, env, data }: DataOptions,
  program: string,
  args: readonly string[],
  input = '',
): SpawnSyncReturns<string> {
  return spawnSync(join(bin, program), [...args], { ...account, env, cwd: data, input, encoding: 'utf8' });
}
