import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgresJournal, createPostgresRecords } from '../../../src/adapters/postgres/journal/index.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import { localServer } from '../../hooks/server.ts';
import { type JournalServer, journalServer } from '../../support/journal-server.ts';
import { eventually, notifyWorld, policy } from './support/world.ts';

let server: JournalServer;

beforeAll(async () => {
  server = await journalServer();
}, 120_000);
afterAll(async () => await server.stop());

test('machines that share a database tell each event once, in order', { timeout: 120_000 }, async () => {
  const url = await server.database();
  const options = { url, clock: createSystemClock() };
  const world = await notifyWorld(async () => ({
    journal: await createPostgresJournal(options),
    records: await createPostgresRecords(options),
  }));
  await using chat = await localServer(() => ({ status: 200 }));
  try {
    world.keys['SECRET'] = 'whsec_0123456789abcdef';
    world.policies['shop'] = policy([{ name: 'chat', kind: 'webhook', url: chat.url, secret: { env: 'SECRET' } }]);
    const [first] = await Promise.all([world.service('one'), world.service('two')]);
    const ids = ['r1', 'r2', 'r3'];
    const runs = await Promise.all(ids.map(async (id) => await world.run(id)));
    for (const run of runs) await run.begin();
    await eventually(() => chat.received.length === 3);
    // One of them goes; the other tells the rest.
    await eventually(async () => (await world.deliveries()).every(({ state }) => state === 'delivered'));
    await first?.stop();
    for (const run of runs) await run.end();
    await eventually(async () => {
      const all = await world.deliveries();
      return all.length === 6 && all.every(({ state }) => state === 'delivered');
    });
    const events = chat.received.map(({ headers }) => String(headers['idempotency-key']));
    for (const id of ids)
      expect(events.filter((event) => event.startsWith(id))).toEqual([
        `${id}:00000002:run.started`,
        `${id}:00000003:run.ended`,
      ]);
  } finally {
    await world.close();
  }
});
