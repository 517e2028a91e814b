import { describe, expect, it } from 'vitest';
import { kindObstacles, memoryObstacles } from '../../../src/adapters/redis/preflight.ts';
import { factsOf, parseClients, type ServerFacts } from '../../../src/adapters/redis/server.ts';
import { redisStore } from '../../../src/config/stores/redis.ts';

const MIB = 1024 * 1024;
const INFO = [
  '# Server',
  'redis_version:7.0.15',
  'redis_mode:standalone',
  'run_id:aaaa',
  '# Memory',
  `used_memory:${10 * MIB}`,
  `used_memory_dataset:${8 * MIB}`,
  'maxmemory:0',
  'maxmemory_policy:noeviction',
  `total_system_memory:${64 * MIB}`,
  '# Persistence',
  'loading:0',
  'aof_enabled:1',
  '# Replication',
  'role:master',
  'master_replid:bbbb',
  '# Modules',
  'module:name=ReJSON,ver=20606,api=1,filters=0',
  '',
].join('\r\n');

const facts = (changes: Partial<ServerFacts> = {}): ServerFacts => ({ ...factsOf(INFO), ...changes });

describe('what a Redis server says of itself', () => {
  it('is read from INFO', () => {
    expect(factsOf(INFO)).toEqual({
      version: '7.0.15',
      id: 'bbbb',
      isCluster: false,
      isReplica: false,
      master: ':',
      usedBytes: 10 * MIB,
      dataBytes: 8 * MIB,
      limitBytes: 0,
      policy: 'noeviction',
      systemBytes: 64 * MIB,
      hasAof: true,
      isLoading: false,
      modules: ['ReJSON'],
    });
  });

  it.each<[string, Partial<ServerFacts>, readonly string[]]>([
    ['a server of its own', {}, []],
    ['one of a cluster', { isCluster: true }, ['SWAPDB']],
    ['a replica', { isReplica: true, master: 'db-0:6379' }, ['db-0:6379']],
    ['one that is starting', { isLoading: true }, ['still reading']],
    ['all of it', { isCluster: true, isReplica: true, isLoading: true }, ['SWAPDB', 'replica', 'still reading']],
  ])('%s is in the way by what it is', (_, changes, words) => {
    const told = kindObstacles(facts(changes));
    expect(told).toEqual(words.map((word) => expect.stringContaining(word)));
  });

  it.each<[string, Partial<ServerFacts>, number, string | undefined]>([
    ['room on the machine', {}, 54 * MIB, undefined],
    ['no room on the machine', {}, 54 * MIB + 1, 'the memory of its machine is 64 MiB'],
    ['room below maxmemory', { limitBytes: 20 * MIB }, 10 * MIB, undefined],
    ['maxmemory too small', { limitBytes: 20 * MIB }, 11 * MIB, 'both data sets take 21 MiB, and maxmemory is 20 MiB:'],
    [
      'a policy that evicts',
      { limitBytes: 20 * MIB, policy: 'allkeys-lru' },
      11 * MIB,
      'live keys would be evicted (allkeys-lru)',
    ],
    ['nothing known', { systemBytes: 0 }, 1024 * MIB, undefined],
  ])('%s', (_, changes, bytes, words) => {
    expect(memoryObstacles(facts(changes), bytes)).toEqual(words === undefined ? [] : [expect.stringContaining(words)]);
  });
});

describe('clients of a Redis server', () => {
  it('are those of one database, without replicas and ourselves', () => {
    const line = (name: string, db: number, flags = 'N'): string =>
      `id=3 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=8 name=${name} age=2 idle=0 flags=${flags} db=${db} cmd=get user=default resp=2`;
    const list = [line('web', 0), line('', 0), line('backstay', 0), line('other', 1), line('replica', 0, 'S'), ''].join(
      '\n',
    );
    expect(parseClients(list, 0)).toEqual([
      { application: 'web', user: 'default', address: '127.0.0.1:50000' },
      { application: '', user: 'default', address: '127.0.0.1:50000' },
    ]);
  });
});

describe('a Redis store in a stack file', () => {
  const parse = (connection: object): unknown =>
    redisStore.safeParse({ name: 'cache', kind: 'redis', connection }).success;

  it.each<[string, object, boolean]>([
    ['takes defaults', {}, true],
    ['takes a database and a spare', { database: 3, spare: 4 }, true],
    ['refuses the live database as its own spare', { database: 3, spare: 3 }, false],
    ['refuses the default spare as the live one', { database: 15 }, false],
    ['refuses a name for an index', { database: 'main' }, false],
  ])('%s', (_, connection, isRight) => {
    expect(parse(connection)).toBe(isRight);
  });
});
