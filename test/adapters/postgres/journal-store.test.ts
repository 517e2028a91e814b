import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPostgresJournal, postgresJournalName } from '../../../src/adapters/postgres/journal/index.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { JournalStore } from '../../../src/ports/index.ts';
import {
  appendAll,
  entriesOf,
  journalStoreContract,
  nextEntry,
  type Tampering,
  tamperingContract,
} from '../../contracts/journal-store.ts';
import { type CuttingProxy, cuttingProxy } from '../../support/cutting-proxy.ts';
import { type JournalServer, journalServer } from '../../support/journal-server.ts';

let server: JournalServer;

beforeAll(async () => {
  server = await journalServer();
});
afterAll(async () => {
  await server.stop();
});

const clock = createSystemClock();
const open = async (url: string, patienceMs = 20_000): Promise<JournalStore> =>
  await createPostgresJournal({ url, clock, patienceMs });

journalStoreContract('Postgres', async () => await open(await server.database()));
tamperingContract('Postgres', async () => {
  const url = await server.database();
  return tampering(url, await open(url));
});

/** Writes as psql would, the triggers switched off. */
function tampering(url: string, store: JournalStore): Tampering {
  const write = async (text: string, values: readonly unknown[]): Promise<readonly Record<string, unknown>[]> => {
    for (const table of ['entries', 'runs'])
      await server.query(url, `ALTER TABLE backstay.${table} DISABLE TRIGGER USER`);
    return await server.query(url, text, values);
  };
  return {
    store,
    where: postgresJournalName(url),
    setText: async (run, sequence, change) => {
      const [row] = await server.query(url, 'SELECT entry FROM backstay.entries WHERE run = $1 AND sequence = $2', [
        run,
        sequence,
      ]);
      const changed = change(String(row?.['entry']));
      expect(changed).not.toBe(row?.['entry']);
      await write('UPDATE backstay.entries SET entry = $3 WHERE run = $1 AND sequence = $2', [run, sequence, changed]);
    },
    remove: async (run, sequence) => {
      await write('DELETE FROM backstay.entries WHERE run = $1 AND sequence = $2', [run, sequence]);
    },
    removeHead: async (run) => {
      await write('DELETE FROM backstay.runs WHERE run = $1', [run]);
    },
    insert: async (entry) => {
      await write('INSERT INTO backstay.entries VALUES ($1, $2, $3, $4, $5, $6)', [
        entry.run,
        entry.sequence,
        entry.stack,
        entry.time,
        entry.kind,
        JSON.stringify(entry),
      ]);
    },
  };
}

describe('the journal in Postgres', () => {
  test('lets nothing be changed, deleted or emptied', async () => {
    const url = await server.database();
    const store = await open(url);
    await store.append(nextEntry('r1'));
    for (const statement of [
      "UPDATE backstay.entries SET stack = 'other'",
      'DELETE FROM backstay.entries',
      'TRUNCATE backstay.entries',
      'DELETE FROM backstay.runs',
      'TRUNCATE backstay.runs',
      "UPDATE backstay.runs SET link = 'sha256:0'",
    ]) {
      await expect(server.query(url, statement)).rejects.toThrow(/append-only/);
    }
    await store.close();
  });

  test('can be opened for the first time by many machines at once', async () => {
    const url = await server.database();
    const stores = await Promise.all([1, 2, 3, 4, 5].map(async () => await open(url)));
    const attempts = await Promise.allSettled(
      stores.map(async (store, i) => await store.append(nextEntry('r1', undefined, { stack: `stack-${i}` }))),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await stores[4]!.read('r1')).toHaveLength(1);
    await Promise.all(stores.map(async (store) => await store.close()));
  });

  test('lets one of two connections write an entry, and both read it', async () => {
    const url = await server.database();
    const [one, two] = [await open(url), await open(url)];
    const entries = entriesOf('r1', 20);
    for (const entry of entries) {
      const attempts = await Promise.allSettled([one.append(entry), two.append(entry)]);
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
    expect(await one.read('r1')).toEqual(entries);
    expect(await two.read('r1')).toEqual(entries);
    await one.close();
    await two.close();
  });

  test('refuses tables of a newer version, and opens those of a newer revision with a warning', async () => {
    const url = await server.database();
    await (await open(url)).close();
    await server.query(url, 'UPDATE backstay.about SET revision = 7');
    const said: string[] = [];
    const store = await createPostgresJournal({ url, clock, warn: (message) => said.push(message) });
    expect(said).toEqual([expect.stringContaining('newer backstay (revision 7)')]);
    await store.append(nextEntry('r1'));
    await store.close();
    await server.query(url, 'UPDATE backstay.about SET version = 9');
    await expect(open(url)).rejects.toMatchObject({
      code: 'JOURNAL_BROKEN',
      message: expect.stringContaining('format 9'),
    });
  });

  test('needs no more rights than to add, once the tables are there', async () => {
    const url = await server.database();
    await (await open(url)).close();
    await server.query(url, "CREATE ROLE modest LOGIN PASSWORD 'modest'");
    for (const right of [
      'USAGE ON SCHEMA backstay',
      'SELECT ON ALL TABLES IN SCHEMA backstay',
      'INSERT ON backstay.entries, backstay.runs',
      'UPDATE ON backstay.runs',
    ]) {
      await server.query(url, `GRANT ${right} TO modest`);
    }
    const modest = new URL(url);
    [modest.username, modest.password] = ['modest', 'modest'];
    const store = await open(modest.href);
    const entries = entriesOf('r1', 3);
    await appendAll(store, entries);
    expect(await store.read('r1')).toEqual(entries);
    await store.close();
  });

  test('sends its limits with the connection, so that no statement waits for ever', async () => {
    const url = await server.database();
    const store = await open(url);
    await store.append(nextEntry('r1'));
    const locker = server.query(
      url,
      'BEGIN; LOCK TABLE backstay.runs IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(7); COMMIT',
    );
    await expect.poll(async () => await isLocked(url), { timeout: 5000 }).toBe(true);
    // The lock outlasts one attempt, not the patience.
    await store.append(entriesOf('r1', 2)[1]!);
    expect(await store.read('r1')).toHaveLength(2);
    await locker;
    await store.close();
  });
});

async function isLocked(url: string): Promise<boolean> {
  const rows = await server.query(url, "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted");
  return rows.length > 0;
}

describe('who may see the password of a journal', () => {
  test.each([
    ['a wrong password', () => server.urlOf('postgres').replace(':p%C3%A4ss', ':hunter2-p%C3%A4ss'), /password auth/],
    ['a database that is not there', () => server.urlOf('nowhere'), /does not exist/],
    ['a port where nobody listens', () => `postgres://ada:hunter2@127.0.0.1:1/x`, /ECONNREFUSED/],
    ['a server that offers no TLS', () => `${server.urlOf('postgres')}?sslmode=require`, /does not support SSL/],
  ])('%s is told with host, port and database alone', async (_what, url, reason) => {
    const error: unknown = await open(url()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'JOURNAL_UNREACHABLE', message: expect.stringMatching(reason) });
    const all = inspect(error, { depth: 9, showHidden: true });
    expect(all).not.toContain('hunter2');
    expect(all).not.toContain(server.password);
    expect(all).not.toContain(encodeURIComponent(server.password));
  });

  test.each(['mysql://ada:hunter2@db/x', 'postgres://ada:hunter2@db:notaport/x', 'hunter2'])(
    'refuses %s without repeating it',
    async (url) => {
      const error: unknown = await open(url).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'USAGE' });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
    },
  );

  test.each([
    ['postgres://ada:hunter2@db.example:6432/journal?sslmode=require', 'postgres://db.example:6432/journal'],
    ['postgresql://ada@db', 'postgres://db:5432/ada'],
    ['postgres://ada:hunter2@[::1]/j', 'postgres://[::1]:5432/j'],
  ])('names %s %s', (url, name) => {
    expect(postgresJournalName(url)).toBe(name);
  });
});

describe('a connection that breaks', () => {
  let proxy: CuttingProxy;

  const through = (url: string): string => url.replace(`:${server.port}/`, `:${proxy.port}/`);

  beforeAll(async () => {
    proxy = await cuttingProxy(new URL(`http://${server.host}:${server.port}`));
  });
  afterAll(async () => {
    await proxy.close();
  });

  test('is made again, and nothing is stored twice or lost', async () => {
    const url = await server.database();
    const store = await open(through(url));
    const entries = entriesOf('r1', 12);
    for (const entry of entries) {
      const stored = store.append(entry);
      if (entry.sequence % 3 === 0) proxy.cut();
      await stored;
    }
    expect(await store.read('r1')).toEqual(entries);
    await store.close();
  });

  test('after the server had stored the entry is found out, not taken for a second writer', async () => {
    const url = await server.database();
    const store = await open(through(url));
    const [first, second] = entriesOf('r1', 2);
    await store.append(first!);
    // The answer is cut off: whatever was asked has happened.
    proxy.deafenNext();
    await store.append(second!);
    expect(proxy.swallowed()).toBeGreaterThan(0);
    expect(await store.read('r1')).toEqual([first, second]);
    await store.close();
  });

  test('does not let a second writer win unseen', async () => {
    const url = await server.database();
    const [store, other] = [await open(through(url)), await open(url)];
    const [first, second] = entriesOf('r1', 2);
    await store.append(first!);
    await other.append({ ...second!, time: '2026-01-01T00:00:59.000Z' });
    proxy.cut();
    await expect(store.append(second!)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    await store.close();
    await other.close();
  });

  test('while a run is followed is made again, with nothing missed', async () => {
    const url = await server.database();
    const [store, writer] = [await open(through(url)), await open(url)];
    const entries = entriesOf('r1', 30);
    entries.push(nextEntry('r1', entries.at(-1), { kind: 'run-ended', outcome: 'succeeded' }));
    const seen = (async () => {
      const sequences: number[] = [];
      for await (const { sequence } of store.follow('r1', 0, AbortSignal.timeout(30_000))) sequences.push(sequence);
      return sequences;
    })();
    for (const entry of entries) {
      await writer.append(entry);
      if (entry.sequence % 7 === 0) proxy.cut();
    }
    expect(await seen).toEqual(entries.map(({ sequence }) => sequence));
    await store.close();
    await writer.close();
  });
});

describe('a server that is killed', () => {
  test('in the middle of appends has stored each that was confirmed, once, and the run goes on when it is back', async () => {
    const url = await server.database();
    const store = await open(url);
    const entries = entriesOf('r1', 60);
    await appendAll(store, entries.slice(0, 20));
    const rest = appendAll(store, entries.slice(20));
    await server.kill();
    await server.restart();
    await rest;
    expect(await store.read('r1')).toEqual(entries);
    await store.close();
  });

  test('and stays away ends the run with its journal lost, naming how to go on', async () => {
    const url = await server.database();
    const store = await open(url, 300);
    const [first, second] = entriesOf('r1', 2);
    await store.append(first!);
    await server.kill();
    try {
      await expect(store.append(second!)).rejects.toMatchObject({
        code: 'JOURNAL_LOST',
        next: expect.stringContaining('backstay resume r1'),
        details: { run: 'r1', entry: 2 },
      });
      await expect(store.append(nextEntry('r2'))).rejects.toMatchObject({ code: 'JOURNAL_UNREACHABLE' });
    } finally {
      await server.restart();
    }
    await store.close();
    const again = await open(url);
    expect(await again.read('r1')).toEqual([first]);
    await again.close();
  });
});
