import type { BackupManifest } from '../../model/index.ts';
import { type Access, type Argument, connected, isAnswer, type Link } from './connection.ts';
import { MARK, readMark } from './mark.ts';
import { databaseOf } from './restore.ts';
import { persistenceOf } from './save.ts';
import { withScratch } from './scratch.ts';
import { clientsIn, type ServerFacts, serverFacts } from './server.ts';
import type { RedisTools } from './tools.ts';

/** Never written: what it would stand for has expired long ago. */
const PROBE = 'backstay:probe';

/**
 * What would stop a restore or an exchange in its middle, asked while nothing is paused yet and without a write: the
 * kind of server, what stands in the spare database, memory, rights, and values that the server does not take.
 */
export async function obstaclesTo(
  manifest: BackupManifest,
  access: Access,
  tools: RedisTools,
): Promise<readonly string[]> {
  const { database, spare } = access.connection;
  const ofAnother =
    databaseOf(manifest) === database
      ? []
      : [`the backup is of database ${manifest.database}; the stack file names ${database}`];
  return [
    ...ofAnother,
    ...(await connected(access, database, async (link) => {
      const facts = await serverFacts(link);
      const kind = kindObstacles(facts);
      if (kind.length > 0) return kind;
      const [chosen] = await link.pipeline([['SELECT', String(spare)]]);
      if (chosen instanceof Error) return [`there is no database ${spare} to restore into: ${chosen.message}`];
      return [
        ...(await spareObstacles(link, spare)),
        ...memoryObstacles(facts, manifest.memoryBytes ?? manifest.file.bytes),
        ...(await rightObstacles(link, access)),
        ...(await valueObstacles(link, tools)),
      ];
    })),
  ];
}

/** Servers that this cannot be done with, whatever stands in them. */
export function kindObstacles(facts: ServerFacts): readonly string[] {
  return [
    ...(facts.isCluster ? ['the server is one of a cluster, which has no second database (SWAPDB)'] : []),
    ...(facts.isReplica ? [`the server is a read-only replica of ${facts.master}: name that in the stack file`] : []),
    ...(facts.isLoading ? ['the server is still reading its data'] : []),
  ];
}

/** `bytes` is what the backup takes in the memory of a server. */
export function memoryObstacles(facts: ServerFacts, bytes: number): readonly string[] {
  const { limitBytes, systemBytes, usedBytes, policy } = facts;
  const limit = limitBytes > 0 ? limitBytes : systemBytes;
  if (limit === 0 || usedBytes + bytes <= limit) return [];
  const otherwise = limitBytes > 0 && policy !== 'noeviction' ? `; live keys would be evicted (${policy})` : '';
  const what = limitBytes > 0 ? 'maxmemory' : 'the memory of its machine';
  return [
    `both data sets take ${mib(usedBytes + bytes)}, and ${what} is ${mib(limit)}${otherwise}: raise it, or restore with less in it`,
  ];
}

async function spareObstacles(link: Link, spare: number): Promise<readonly string[]> {
  const mark = await readMark(link);
  const clients = await clientsIn(link, spare).catch(() => []);
  const inUse = clients.map(
    ({ application, address }) => `database ${spare} is in use by ${application || 'a client'} at ${address}`,
  );
  if (mark === undefined) {
    const isEmpty = (await link.send('DBSIZE')) === 0;
    return [...(isEmpty ? [] : [`database ${spare} is not empty: name another with \`spare\``]), ...inUse];
  }
  const isKept = mark.state === 'swapped' || mark.state === 'undone';
  return [...(isKept ? [`database ${spare} holds what run ${mark.run} set aside: finalize it first`] : []), ...inUse];
}

/** Queued and given up again: the server says for each whether this user may, and carries out none. */
async function rightObstacles(link: Link, { connection }: Access): Promise<readonly string[]> {
  const commands: readonly (readonly Argument[])[] = [
    ['SWAPDB', String(connection.database), String(connection.spare)],
    ['SELECT', String(connection.database)],
    ['FLUSHDB', 'ASYNC'],
    ['RESTORE', PROBE, '0', ''],
    ['HSET', MARK, 'run', ''],
    ['HGETALL', MARK],
    ['DEL', MARK],
    ...((await persistenceOf(link)) === 'rdb' ? [['BGSAVE']] : []),
  ];
  const [watched] = await link.pipeline([['WATCH', MARK]]);
  const answers = await link.pipeline([['MULTI'], ...commands, ['DISCARD']]);
  return [watched, ...answers]
    .filter((answer) => answer instanceof Error && isAnswer(answer) && answer.message.startsWith('NOPERM'))
    .map((answer) => `the user may not do what this takes: ${(answer as Error).message}`);
}

/** A value of the newest form that the tools write, to a time that is long gone: it is looked at and not kept. */
async function valueObstacles(link: Link, tools: RedisTools): Promise<readonly string[]> {
  const value = await withScratch(
    tools,
    undefined,
    async (scratch) =>
      await scratch(0, async (own) => {
        const [, dumped] = await own.pipeline([
          ['SET', PROBE, 'probe'],
          ['DUMP', PROBE],
        ]);
        return dumped;
      }),
  );
  if (!Buffer.isBuffer(value)) return [];
  const [answer] = await link.pipeline([['RESTORE', PROBE, '1', value, 'ABSTTL']]);
  if (!(answer instanceof Error) || answer.message.startsWith('NOPERM')) return [];
  return [`the server does not take the values that Redis ${tools.version} of this machine writes: ${answer.message}`];
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MiB`;
}
