import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withScratch } from '../../../src/adapters/redis/scratch.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { cuttingProxy } from '../../support/cutting-proxy.ts';
import { CAN_MOUNT, smallDisk } from '../../support/small-disk.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';
import { damage, fill, SPARE, storeOf, temporaryRoot } from './support/store.ts';

const MIB = 1024 * 1024;

/** On real servers, each with what goes wrong. After every fault the live data is whole, before or after, never half. */
describe('a Redis data store in trouble', { timeout: 180_000 }, () => {
  const ends: (() => Promise<void>)[] = [];
  let root: string;

  const started = async (...settings: readonly string[]): Promise<TestRedis> => {
    const server = await startTestRedis(settings);
    ends.push(async () => await server.stop());
    return server;
  };
  const marker = async (server: TestRedis): Promise<unknown> => await server.run(0, ['GET', 'marker']);
  const restored = async (server: TestRedis, store: DataStore): Promise<void> => {
    await fill(server, 1_000);
    const backup = await store.backup();
    await damage(server);
    await store.restoreBeside(backup, 'r1');
  };

  beforeEach(async () => {
    const files = await temporaryRoot();
    ({ root } = files);
    ends.push(async () => await files.remove());
  });
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  describe('when its server ends without a word and comes up again', () => {
    it.each<[string, readonly string[]]>([
      ['with an append-only file', ['appendonly yes', 'appendfsync always']],
      ['with an append-only file alone, without the preamble', ['appendonly yes', 'aof-use-rdb-preamble no']],
      ['with RDB files alone', ['save 3600 1']],
    ])('%s, it has what was exchanged', async (_, settings) => {
      const server = await started(...settings);
      const store = storeOf(server, { root });
      await restored(server, store);
      await server.kill();
      await server.restart();
      expect(await store.stateOf('r1')).toBe('before');
      expect((await store.integrity(`db${SPARE}`)).rows).toEqual({ db0: 1_001 });

      await store.swap('r1');
      await server.kill();
      await server.restart();
      expect(await marker(server)).toBe('one');
      expect(await server.run(0, ['DBSIZE'])).toBe(1_001);
      expect(await store.stateOf('r1')).toBe('swapped');

      await store.undoSwap('r1');
      await server.kill();
      await server.restart();
      expect(await store.stateOf('r1')).toBe('undone');
      expect(await store.finalize('r1')).toEqual([`db${SPARE}`]);
      await server.kill();
      await server.restart();
      expect(await store.stateOf('r1')).toBe('nothing');
      expect(await server.run(SPARE, ['DBSIZE'])).toBe(0);
      // Of RDB files alone, the last was written before the undo of a value; with both, nothing was lost.
      expect(await server.run(0, ['EXISTS', 'document:1'])).toBe(0);
    });
  });

  it('carries the exchange to the replicas of its server', async () => {
    const server = await started();
    const replica = await started(`replicaof 127.0.0.1 ${server.port}`, `masterauth ${server.password}`);
    const store = storeOf(server, { root });
    await restored(server, store);
    await store.swap('r1');
    await expect.poll(async () => await marker(replica), { timeout: 30_000 }).toBe('one');
    const following = storeOf(replica, { root: join(root, 'of-replica') });
    const backup = await following.backup();
    expect(backup.manifest.rows).toEqual({ db0: 1_001 });
    expect(await following.obstacles(backup)).toEqual([expect.stringContaining(`replica of 127.0.0.1:${server.port}`)]);
    await store.undoSwap('r1');
    await expect.poll(async () => await marker(replica), { timeout: 30_000 }).toBe('two');
  });

  it('begins anew when the server was killed in the middle of a restore', async () => {
    const server = await started('appendonly yes');
    const store = storeOf(server, { root });
    await fill(server, 20_000, 500);
    const backup = await store.backup();
    await damage(server);
    const cut = errorOf(store.restoreBeside(backup, 'r1'));
    await expect
      .poll(async () => Number(await server.run(SPARE, ['DBSIZE'])), { interval: 1, timeout: 60_000 })
      .toBeGreaterThan(300);
    await server.kill();
    expect(await cut).toMatchObject({ code: expect.stringMatching(/^STORE_(UNREACHABLE|FAILED)$/) });
    await server.restart();
    expect(await marker(server)).toBe('two');
    expect(await store.stateOf('r1')).toBe('nothing');
    await expect(store.swap('r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect((await store.restoreBeside(backup, 'r1')).rows).toEqual({ db0: 20_001 });
    await store.swap('r1');
    expect(await marker(server)).toBe('one');
  });

  it('knows what happened when the answer to an exchange is lost', async () => {
    const server = await started();
    const proxy = await cuttingProxy(new URL(`tcp://127.0.0.1:${server.port}`));
    ends.push(async () => await proxy.close());
    const store = storeOf(server, { root, connection: { port: proxy.port } });
    await restored(server, store);
    // Each answer is lost in turn, until one attempt needs no more of them: whatever happened, it happened once.
    let lost = 0;
    for (;;) {
      const before = proxy.swallowed();
      const attempt = losing(proxy, lost, async () => await store.swap('r1'));
      const isDone = await attempt.then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' });
          return false;
        },
      );
      const state = await store.stateOf('r1');
      expect(await marker(server)).toBe(state === 'swapped' ? 'one' : 'two');
      if (isDone && proxy.swallowed() === before) break;
      lost += 1;
      expect(lost).toBeLessThan(40);
    }
    expect(lost).toBeGreaterThan(2);
    expect(await store.stateOf('r1')).toBe('swapped');
    expect((await store.swap('r1')).kept).toBe(`db${SPARE}`);
    expect(await marker(server)).toBe('one');
  });

  it('leaves no backup when the connection is cut while it is taken', async () => {
    const server = await started('rdb-key-save-delay 200', 'repl-diskless-sync yes');
    const proxy = await cuttingProxy(new URL(`tcp://127.0.0.1:${server.port}`));
    ends.push(async () => await proxy.close());
    await fill(server, 20_000, 200);
    const store = storeOf(server, { root, connection: { port: proxy.port } });
    const cut = errorOf(store.backup());
    await expect.poll(async () => await sizeBelow(root), { interval: 1, timeout: 60_000 }).toBeGreaterThan(0);
    proxy.cut();
    expect(await cut).toMatchObject({ code: 'STORE_FAILED' });
    expect(await store.backups()).toEqual([]);
  });

  it('leaves no backup when the disk is full', async () => {
    const server = await started();
    await fill(server, 2_000, 500);
    const cli = join(root, 'redis-cli');
    // As a full disk ends it: no file grows above a block.
    await writeFile(cli, `#!/bin/sh\nulimit -f 8\nexec '${server.tools.cli}' "$@"\n`, { mode: 0o755 });
    const store = storeOf(server, { root: join(root, 'backups'), tools: { ...server.tools, cli } });
    await expect(store.backup()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await store.backups()).toEqual([]);
  });

  // Elsewhere the limit above stands for it.
  it.runIf(CAN_MOUNT)('names the volume when backups lie on one that is really full', async () => {
    const server = await started();
    await fill(server, 2_000, 500);
    const small = await smallDisk(MIB);
    ends.push(async () => await small.stop());
    await small.fill(64 * 1024);
    const store = storeOf(server, { root: join(small.folder, 'backups') });
    await expect(store.backup()).rejects.toMatchObject({
      code: 'VOLUME_FULL',
      message: expect.stringContaining(`${small.folder}/backups`),
      next: expect.stringContaining('Make room there'),
    });
    expect(await store.backups()).toEqual([]);
    expect(await server.run(0, ['DBSIZE'])).toBe(2_001);
  });

  it('clears away what it began when the memory of the server does not reach', async () => {
    const server = await started('maxmemory 20mb', 'maxmemory-policy noeviction');
    const store = storeOf(server, { root });
    await fill(server, 5_000, 2_000);
    const backup = await store.backup();
    expect(await store.obstacles(backup)).toEqual([expect.stringContaining('maxmemory is 20 MiB')]);
    await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('OOM'),
    });
    expect(await server.run(SPARE, ['DBSIZE'])).toBe(0);
    expect(await server.run(0, ['DBSIZE'])).toBe(5_001);
    await server.run(0, ['CONFIG', 'SET', 'maxmemory', String(200 * MIB)]);
    expect(await store.obstacles(backup)).toEqual([]);
    expect((await store.restoreBeside(backup, 'r1')).rows).toEqual({ db0: 5_001 });
  });

  it('exchanges, undoes and finalizes on a server whose memory is full', async () => {
    const server = await started('appendonly yes');
    const store = storeOf(server, { root });
    await restored(server, store);
    await server.run(0, ['CONFIG', 'SET', 'maxmemory', '1']);
    await expect(server.run(0, ['SET', 'more', 'data'])).rejects.toThrow('OOM');
    await store.swap('r1');
    expect((await store.swap('r1')).kept).toBe(`db${SPARE}`);
    expect(await marker(server)).toBe('one');
    expect(await server.run(0, ['KEYS', 'backstay*'])).toEqual([]);
    await expect(store.undoSwap('r2')).rejects.toMatchObject({ code: 'STORE_FENCED' });
    await store.undoSwap('r1');
    expect(await marker(server)).toBe('two');
    await expect(store.swap('r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await server.kill();
    await server.restart();
    expect(await store.stateOf('r1')).toBe('undone');
    await server.run(0, ['CONFIG', 'SET', 'maxmemory', '1']);
    expect(await store.finalize('r1')).toEqual([`db${SPARE}`]);
    expect(await server.run(SPARE, ['DBSIZE'])).toBe(0);
  });

  it('gives way to a later run that takes the spare database while it is copied to', async () => {
    const server = await started();
    const store = storeOf(server, { root });
    await fill(server, 20_000, 500);
    const backup = await store.backup();
    const fenced = errorOf(store.restoreBeside(backup, 'r1'));
    await expect
      .poll(async () => Number(await server.run(SPARE, ['DBSIZE'])), { interval: 1, timeout: 60_000 })
      .toBeGreaterThan(300);
    const later = store.restoreBeside(backup, 'r2');
    expect(await fenced).toMatchObject({ code: 'STORE_FENCED' });
    expect((await later).rows).toEqual({ db0: 20_001 });
    expect(await store.stateOf('r2')).toBe('before');
  });

  describe('tells before anything is paused', () => {
    it.each<[string, readonly string[], object, string]>([
      ['a server of a cluster', ['cluster-enabled yes'], {}, 'cluster'],
      ['a spare database that there is not', ['databases 4'], { database: 0, spare: 9 }, 'no database 9'],
    ])('%s', async (_, settings, connection, words) => {
      const server = await started();
      await fill(server, 10);
      const backup = await storeOf(server, { root }).backup();
      const other = await started(...settings);
      const store = storeOf(other, { root, connection });
      expect(await store.obstacles(backup)).toEqual([expect.stringContaining(words)]);
      await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject({
        code: expect.stringMatching(/^STORE_(UNREACHABLE|FAILED)$/),
      });
      expect(await other.run(0, ['DBSIZE'])).toBe(0);
    });

    it('rights that are missing, one by one, and writes nothing to find out', async () => {
      const server = await started();
      await fill(server, 10);
      await server.run(0, ['ACL', 'SETUSER', 'ada', 'on', '>ada', '~*', '+@all', '-swapdb', '-flushdb', '-restore']);
      const backup = await storeOf(server, { root }).backup();
      const store = storeOf(server, { root, connection: { user: 'ada' }, password: 'ada' });
      const before = await server.run(0, ['INFO', 'keyspace']);
      const told = await store.obstacles(backup);
      expect(told).toHaveLength(3);
      for (const right of ['swapdb', 'flushdb', 'restore'])
        expect(told).toContainEqual(expect.stringContaining(`'${right}'`));
      expect(await server.run(0, ['INFO', 'keyspace'])).toBe(before);
      await server.run(0, ['ACL', 'SETUSER', 'ada', '+@all']);
      expect(await store.obstacles(backup)).toEqual([]);
      expect(await server.run(0, ['INFO', 'keyspace'])).toBe(before);
    });

    it('a backup of another logical database', async () => {
      const server = await started();
      await fill(server, 10);
      const backup = await storeOf(server, { root }).backup();
      const store = storeOf(server, { root, connection: { database: 2 } });
      expect(await store.obstacles(backup)).toEqual([expect.stringContaining('the backup is of database 0')]);
    });

    it('tools that are older than the server', async () => {
      const server = await started();
      const tools = { ...server.tools, version: '6.2.14' };
      await expect(storeOf(server, { root, tools }).backup()).rejects.toMatchObject({ code: 'TOOL_MISSING' });
    });
  });

  it('tells what a file holds that no server without its modules can read', async () => {
    const server = await started();
    const file = join(root, 'modules.rdb');
    await writeFile(file, rdbOfModule());
    await expect(withScratch(server.tools, file, async () => 'read')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/module/i),
    });
  });

  describe('whose Backstay is killed', () => {
    it.each(['backup', 'restore', 'swap', 'undo'] as const)(
      'in or after %s, the next one comes to the same end',
      async (at) => {
        const server = await started('appendonly yes');
        const store = storeOf(server, { root });
        await fill(server, 20_000, 500);
        const backup = await store.backup();
        await damage(server);
        for (const times of [1, 2]) {
          await killedAt(server, root, at);
          // Nobody goes on in its place: what it had started ends with it.
          await expect.poll(async () => await scratches(root), { timeout: 30_000 }).toEqual([]);
          expect(['one', 'two'], `kill ${times}`).toContain(await marker(server));
        }
        if ((await store.stateOf('r1')) === 'nothing') await store.restoreBeside(backup, 'r1');
        if ((await store.stateOf('r1')) === 'before') await store.swap('r1');
        if (at !== 'undo') expect(await marker(server)).toBe('one');
        await store.undoSwap('r1');
        expect(await marker(server)).toBe('two');
        expect(await server.run(0, ['DBSIZE'])).toBe(20_000);
        await store.finalize('r1');
        expect(await server.run(SPARE, ['DBSIZE'])).toBe(0);
        expect(await store.find('latest')).toMatchObject({ manifest: { rows: { db0: 20_001 } } });
      },
    );
  });
});

/** What a promise fails with; begun before what makes it fail. */
async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => new TypeError('it went through'),
    (error: unknown) => error,
  );
}

/** Loses the n-th answer that comes while the work is done. */
async function losing(
  proxy: Awaited<ReturnType<typeof cuttingProxy>>,
  nth: number,
  work: () => Promise<unknown>,
): Promise<unknown> {
  proxy.deafenAfter(nth);
  try {
    return await work();
  } finally {
    proxy.deafenAfter(undefined);
  }
}

/** Folders of scratch servers below one; each goes when its server has ended. */
async function scratches(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('backstay-redis-'));
}

async function sizeBelow(folder: string): Promise<number> {
  if (!existsSync(folder)) return 0;
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const partial = files.find(({ name }) => name.endsWith('.rdb.partial'));
  if (partial === undefined) return 0;
  return (await readFile(join(partial.parentPath, partial.name)).catch(() => Buffer.alloc(0))).length;
}

/** A process that does one act after another, killed with SIGKILL in the middle of one or right after it. */
async function killedAt(server: TestRedis, root: string, act: string): Promise<void> {
  const entry = fileURLToPath(new URL('support/acts.ts', import.meta.url));
  const settings = { port: server.port, tools: server.tools, root, act };
  const child = spawn(process.execPath, [entry], {
    env: { ...process.env, TMPDIR: root, ACTS: JSON.stringify(settings), REDIS_TEST_PASSWORD: server.password },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  let said = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    said += chunk.toString();
    if (said.includes('now')) break;
  }
  child.kill('SIGKILL');
  await gone;
}

/** An RDB file with one value of a module that nobody has. Its checksum is zero: not checked. */
function rdbOfModule(): Buffer {
  const key = Buffer.from('document');
  return Buffer.concat([
    Buffer.from('REDIS0010'),
    // Database 0; type 7 (a module's value) and its key.
    Buffer.from([0xfe, 0x00, 0x07, key.length]),
    key,
    // The module's id (64 bits), then its end.
    Buffer.from([0x81, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x00]),
    Buffer.from([0xff]),
    Buffer.alloc(8),
  ]);
}
