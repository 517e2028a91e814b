import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPostgresJournal, createPostgresRecords } from '../../../src/adapters/postgres/journal/index.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { ServiceStore } from '../../../src/ports/index.ts';
import { entriesOf, nextEntry } from '../../contracts/journal-store.ts';
import { serviceStoreContract } from '../../contracts/service-store.ts';
import { type CuttingProxy, cuttingProxy } from '../../support/cutting-proxy.ts';
import { type JournalServer, journalServer } from '../../support/journal-server.ts';

let server: JournalServer;
let proxy: CuttingProxy;

beforeAll(async () => {
  server = await journalServer();
  proxy = await cuttingProxy(new URL(`http://${server.host}:${server.port}`));
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

const clock = createSystemClock();
const open = async (url: string): Promise<ServiceStore> => await createPostgresRecords({ url, clock });
const through = (url: string): string => url.replace(`:${server.port}/`, `:${proxy.port}/`);
const limit = (): AbortSignal => AbortSignal.timeout(90_000);

serviceStoreContract('Postgres', async () => {
  const url = await server.database();
  return { open: async () => await open(url), journal: async () => await createPostgresJournal({ url, clock }) };
});

describe('records in Postgres', () => {
  test('can be made for the first time by many machines at once, beside a journal that is there', async () => {
    const url = await server.database();
    await (await createPostgresJournal({ url, clock })).close();
    const stores = await Promise.all([1, 2, 3, 4, 5].map(async () => await open(url)));
    const writes = await Promise.all(stores.map(async (store, i) => await store.put('claim', 'r1', 0, i)));
    expect(writes.filter((written) => written !== undefined)).toHaveLength(1);
    await Promise.all(stores.map(async (store) => await store.close()));
  });

  test('need no more rights than to read and write, once the tables are there', async () => {
    const url = await server.database();
    await (await open(url)).close();
    await server.query(url, "CREATE ROLE clerk LOGIN PASSWORD 'clerk'");
    for (const right of [
      'USAGE ON SCHEMA backstay',
      'SELECT ON ALL TABLES IN SCHEMA backstay',
      'INSERT, UPDATE, DELETE ON backstay.records',
      'USAGE ON SEQUENCE backstay.record_changes',
    ]) {
      await server.query(url, `GRANT ${right} TO clerk`);
    }
    const modest = new URL(url);
    [modest.username, modest.password] = ['clerk', 'clerk'];
    const store = await open(modest.href);
    await store.put('token', 't', 0, 1);
    await store.put('token', 't', 1, 2);
    expect(await store.remove('token', 't', 2)).toBe(true);
    await store.close();
  });

  test('are followed over one connection, however many follow', async () => {
    const url = await server.database();
    const [store, journal] = [await open(url), await createPostgresJournal({ url, clock })];
    await journal.append(nextEntry('r1'));
    const stop = new AbortController();
    const told: string[] = [];
    const followers = [
      ...(['alert', 'proposal', 'delivery', 'alert'] as const).map(async (kind) => {
        for await (const { key } of store.follow(kind, stop.signal)) told.push(`${kind} ${key}`);
      }),
      ...[1, 2, 3].map(async () => {
        for await (const { sequence } of journal.follow('r1', 1, stop.signal)) told.push(`entry ${sequence}`);
      }),
    ];
    await store.put('alert', 'a', 0, 1);
    await store.put('delivery', 'd', 0, 1);
    await journal.append(entriesOf('r1', 2)[1]!);
    await expect
      .poll(() => told.toSorted(), { timeout: 60_000 })
      .toEqual(['alert a', 'alert a', 'delivery d', 'entry 2', 'entry 2', 'entry 2']);
    const listening = async (): Promise<number> =>
      (
        await server.query(
          url,
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        )
      ).length;
    // Two stores with a connection each, and one for each store's followers.
    expect(await listening()).toBe(4);
    stop.abort();
    await Promise.all(followers);
    await expect.poll(listening, { timeout: 60_000 }).toBe(2);
    await store.close();
    await journal.close();
  }, 120_000);

  test('that are no JSON are told as a damaged journal', async () => {
    const url = await server.database();
    const store = await open(url);
    await store.put('token', 't', 0, 1);
    await server.query(url, "UPDATE backstay.records SET value = '{'");
    await expect(store.get('token', 't')).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      message: 'the record t of kind token is no JSON',
    });
    await store.close();
  });
});

describe('a connection that breaks', () => {
  test('after the server had written is found out: the writer is told that it was the first', async () => {
    const url = await server.database();
    const [store, other] = [await open(through(url)), await open(url)];
    const swallowed = proxy.swallowed();
    proxy.deafenNext();
    expect(await store.put('claim', 'r1', 0, 'mine')).toMatchObject({ version: 1, value: 'mine' });
    proxy.deafenNext();
    expect(await store.put('claim', 'r1', 1, 'still mine')).toMatchObject({ version: 2 });
    proxy.deafenNext();
    expect(await store.remove('claim', 'r1', 2)).toBe(true);
    expect(proxy.swallowed()).toBe(swallowed + 3);
    expect(await other.get('claim', 'r1')).toBeUndefined();
    await store.close();
    await other.close();
  }, 120_000);

  test('does not let a second writer win unseen', async () => {
    const url = await server.database();
    const [store, other] = [await open(through(url)), await open(url)];
    await other.put('claim', 'r1', 0, 'theirs');
    proxy.cut();
    expect(await store.put('claim', 'r1', 0, 'mine')).toBeUndefined();
    await store.close();
    await other.close();
  }, 120_000);

  test('while records and runs are followed is made again, with nothing missed', async () => {
    const url = await server.database();
    const [store, writer] = [await open(through(url)), await open(url)];
    const seen = new Set<string>();
    const following = (async () => {
      for await (const { key } of store.follow('delivery', limit())) {
        seen.add(key);
        if (seen.size === 30) return;
      }
    })();
    // Its first look is over.
    await store.get('delivery', 'd0');
    for (let i = 0; i < 30; i++) {
      await writer.put('delivery', `d${i}`, 0, i);
      if (i % 7 === 0) proxy.cut();
    }
    await following;
    expect(seen.size).toBe(30);
    await store.close();
    await writer.close();
  }, 120_000);
});

describe('a server that is killed', () => {
  test('keeps what was confirmed, and whoever follows hears of all that came after it', async () => {
    const url = await server.database();
    const store = await open(url);
    const journal = await createPostgresJournal({ url, clock });
    await store.put('proposal', 'before', 0, 1);
    const told = store.follow('proposal', limit())[Symbol.asyncIterator]();
    const ticks = store.changes(limit())[Symbol.asyncIterator]();
    expect(await ticks.next()).toMatchObject({ value: {} });
    await store.put('proposal', 'ready', 0, 1);
    expect(await told.next()).toMatchObject({ value: { key: 'ready' } });
    const [next, tick] = [told.next(), ticks.next()];
    await server.kill();
    await server.restart();
    // Of what happened meanwhile the reader of runs cannot know.
    expect(await tick).toEqual({ done: false, value: {} });
    await store.put('proposal', 'after', 0, 2);
    expect(await next).toMatchObject({ value: { key: 'after', record: { value: 2 } } });
    const later = ticks.next();
    await journal.append(nextEntry('r1'));
    expect(await later).toEqual({ done: false, value: { run: 'r1' } });
    expect(await store.get('proposal', 'before')).toMatchObject({ value: 1 });
    await store.close();
    await journal.close();
  }, 120_000);

  test('and stays away is waited for by all who ask together, not by one after the other', async () => {
    const url = await server.database();
    // Time goes on by what is waited for alone, however slow this machine is.
    let waited = 0;
    const hand = { ...clock, monotonic: () => waited, delay: async (ms: number) => void (waited += ms) };
    const store = await createPostgresRecords({ url, clock: hand, patienceMs: 1_000 });
    await store.put('claim', 'r1', 0, 1);
    await server.kill();
    try {
      const asked = await Promise.allSettled(Array.from({ length: 30 }, async () => await store.get('claim', 'r1')));
      for (const { status, reason } of asked as readonly PromiseRejectedResult[]) {
        expect(status).toBe('rejected');
        expect(reason).toMatchObject({ code: 'JOURNAL_UNREACHABLE' });
      }
      // As long as the patience and the last pause; one after the other would wait thirty times as long.
      expect(waited).toBeGreaterThan(1_000);
      expect(waited).toBeLessThan(3_000);
    } finally {
      await server.restart();
    }
    expect(await store.get('claim', 'r1')).toMatchObject({ value: 1 });
    await store.close();
  }, 120_000);
});
