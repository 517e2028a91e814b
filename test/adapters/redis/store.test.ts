import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestRedis, type TestRedis } from '../../support/redis-server.ts';
import { damage, fill, SPARE, storeOf, temporaryRoot } from './support/store.ts';

describe('a Redis data store', { timeout: 120_000 }, () => {
  let server: TestRedis;
  let files: Awaited<ReturnType<typeof temporaryRoot>>;
  let store: DataStore;

  beforeAll(async () => {
    server = await startTestRedis();
    files = await temporaryRoot();
    store = storeOf(server, { root: files.root });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await files.remove();
  });

  it('lets keys expire as they would have, whenever a backup is proven', async () => {
    await fill(server, 10);
    await server.run(0, ['SET', 'gone', 'soon', 'PX', '1500'], ['SET', 'session', 'of today', 'PX', '86400000']);
    const until = Number(await server.run(0, ['PEXPIRETIME', 'session']));
    const backup = await store.backup();
    expect(backup.manifest.rows).toEqual({ db0: 13 });
    await expect.poll(async () => await server.run(0, ['EXISTS', 'gone']), { timeout: 20_000 }).toBe(0);
    // Proven by the counts of then, though one of the keys has expired.
    expect((await store.prove(backup, 'restored')).proofs.at(-1)?.message).toContain('13 keys');
    const { rows, proof } = await store.restoreBeside(backup, 'r1');
    expect(rows).toEqual({ db0: 12 });
    expect(proof.message).toContain('12 keys, 1 of 13 have expired since');
    expect(await server.run(SPARE, ['PEXPIRETIME', 'session'])).toBe(until);
    await store.finalize('r1');
  });

  it('leaves the other databases of the server alone', async () => {
    await fill(server, 10);
    await server.run(3, ['SET', 'other', 'then']);
    const backup = await store.backup();
    await damage(server);
    await server.run(3, ['SET', 'other', 'now']);
    await store.restoreBeside(backup, 'r1');
    await store.swap('r1');
    expect(await server.run(3, ['GET', 'other'])).toBe('now');
    expect(await server.run(0, ['GET', 'marker'])).toBe('one');
    await store.finalize('r1');
    expect(await server.run(0, ['INFO', 'keyspace'])).not.toContain(`db${SPARE}`);
  });

  it('never shows a key of its own to those who use the live database', async () => {
    await fill(server, 10);
    const live = async (): Promise<unknown> => await server.run(0, ['KEYS', '*backstay*']);
    await store.restoreBeside(await store.backup(), 'r1');
    expect(await live()).toEqual([]);
    await store.swap('r1');
    expect(await live()).toEqual([]);
    await store.undoSwap('r1');
    expect(await live()).toEqual([]);
    await store.finalize('r1');
    expect(await live()).toEqual([]);
  });

  it('exchanges under clients that stay connected: each sees the old data or the new, never neither', async () => {
    await fill(server, 100);
    const backup = await store.backup();
    await damage(server);
    await store.restoreBeside(backup, 'r1');
    const stop = new AbortController();
    const seen = new Set<unknown>();
    const clients = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const socket = { host: '127.0.0.1', port: server.port, reconnectStrategy: false as const };
        const client = createClient({ password: server.password, socket });
        client.on('error', () => undefined);
        return await client.connect();
      }),
    );
    const reading = clients.map(async (client) => {
      while (!stop.signal.aborted) seen.add(await client.get('marker'));
    });
    await expect.poll(() => seen.has('two'), { timeout: 30_000 }).toBe(true);
    await store.swap('r1');
    await expect.poll(() => seen.has('one'), { timeout: 30_000 }).toBe(true);
    stop.abort();
    await Promise.all(reading);
    for (const client of clients) client.destroy();
    expect(seen).toEqual(new Set(['one', 'two']));
    await store.finalize('r1');
  });

  it('takes values of every type and size, binary keys among them, as they were', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
    const some = fc.uniqueArray(bytes, { minLength: 1, maxLength: 200 });
    const value = fc.oneof(
      bytes.map((text) => ['SET', text]),
      fc.nat({ max: 300_000 }).map((length) => ['SET', 'x'.repeat(length)]),
      some.map((list) => ['RPUSH', ...list]),
      some.map((list) => ['SADD', ...list]),
      some.map((list) => ['HSET', ...list.flatMap((field, at) => [field, String(at)])]),
      some.map((list) => ['ZADD', ...list.flatMap((member, at) => [String(at / 2), member])]),
      some.map((list) => ['XADD', '*', ...list.flatMap((field) => [field, field])]),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(bytes, value, { minKeys: 1, maxKeys: 40 }), async (data) => {
        const commands = Object.entries(data).map(([key, [command = '', ...rest]]) => [command, key, ...rest]);
        await server.run(0, ['FLUSHALL'], ...commands);
        const [then, backup] = [await store.integrity(), await store.backup()];
        await server.run(0, ['FLUSHDB']);
        const { rows } = await store.restoreBeside(backup, 'r1');
        await store.swap('r1');
        expect(rows).toEqual(then.rows);
        expect((await store.integrity()).contents).toEqual(then.contents);
        await store.finalize('r1');
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it('reads long values by their ends, says so, and restores them whole', async () => {
    await fill(server, 10);
    const members = Array.from({ length: 8_000 }, (_, n) => `member ${n}`);
    await server.run(
      0,
      ['SADD', 'set', ...members],
      ['RPUSH', 'list', ...members],
      ['SET', 'text', 'y'.repeat(9_000_000)],
    );
    const then = await store.integrity();
    expect(then.contents['db0']?.sampled).toBe(true);
    const backup = await store.backup();
    await store.restoreBeside(backup, 'r1');
    expect(await server.run(SPARE, ['SCARD', 'set'])).toBe(8_000);
    expect(await server.run(SPARE, ['LINDEX', 'list', '-1'])).toBe('member 7999');
    expect(await server.run(SPARE, ['STRLEN', 'text'])).toBe(9_000_000);
    await store.finalize('r1');
  });

  it('gives its tools the password where nobody else reads it', async () => {
    await fill(server, 10);
    const bin = join(files.root, 'bin');
    await mkdir(bin);
    const seen = join(files.root, 'arguments');
    const spy = async (program: string, real: string): Promise<string> => {
      const path = join(bin, program);
      await writeFile(path, `#!/bin/sh\necho "$0 $*" >>'${seen}'\nexec '${real}' "$@"\n`, { mode: 0o755 });
      return path;
    };
    const { server: own, cli, checkRdb, version } = server.tools;
    const tools = {
      server: await spy('redis-server', own),
      cli: await spy('redis-cli', cli),
      checkRdb: await spy('redis-check-rdb', checkRdb),
      version,
    };
    const watched = storeOf(server, { root: files.root, tools });
    const backup = await watched.prove(await watched.backup(), 'restored');
    await watched.restoreBeside(backup, 'r1');
    await watched.finalize('r1');
    const told = await readFile(seen, 'utf8');
    for (const program of ['redis-server', 'redis-cli', 'redis-check-rdb']) expect(told).toContain(program);
    expect(told).not.toContain(server.password);
    for (const name of await readdir(backup.folder))
      expect(await readFile(join(backup.folder, name), 'latin1')).not.toContain(server.password);
  });

  it('says why it cannot be reached, and never the password', async () => {
    const wrong = storeOf(server, { root: files.root, password: 'not the one' });
    await expect(wrong.inspect()).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/127\.0\.0\.1:\d+\/0: (?!.*not the one)/),
    });
    const nowhere = storeOf(server, { root: files.root, connection: { port: 1 } });
    await expect(nowhere.backup()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('backs up whole databases alone, and takes them back whole', async () => {
    await fill(server, 10);
    await expect(store.backup({ tables: ['documents'] })).rejects.toMatchObject({ code: 'STORE_UNSUPPORTED' });
    const restoring = store.restoreBeside(await store.backup(), 'r1', undefined, ['documents']);
    await expect(restoring).rejects.toMatchObject({ code: 'STORE_UNSUPPORTED' });
    expect(await server.run(SPARE, ['DBSIZE'])).toBe(0);
  });

  it('keeps what a run set aside from the next one, until it is finalized', async () => {
    await fill(server, 10);
    const backup = await store.backup();
    await damage(server);
    await store.restoreBeside(backup, 'r1');
    await store.swap('r1');
    expect(await store.obstacles(backup)).toEqual([expect.stringContaining('what run r1 set aside')]);
    await expect(store.restoreBeside(backup, 'r2')).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    await expect(store.swap('r2')).rejects.toMatchObject({ code: 'STORE_FENCED' });
    expect(await store.finalize('r2')).toEqual([]);
    await store.undoSwap('r1');
    expect(await server.run(0, ['GET', 'marker'])).toBe('two');
    await store.finalize('r1');
    expect(await store.obstacles(backup)).toEqual([]);
  });
});
