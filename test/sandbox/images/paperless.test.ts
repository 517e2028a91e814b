import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorkers } from '../../../src/sandbox/images/embedding-queue-workers/server.ts';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import { migrateUp, upScripts } from '../../../src/sandbox/images/kit/migrate.ts';
import { embed, likeness } from '../../../src/sandbox/images/paperless-maverick/embedding.ts';
import { MIGRATIONS } from '../../../src/sandbox/images/paperless-maverick/release.ts';
import { createPaperless } from '../../../src/sandbox/images/paperless-maverick/server.ts';
import { openDatabase, Started, startTestPostgres, temporaryFolder, type TestPostgres } from './support.ts';

describe('Paperless Maverick', { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  const started = new Started();
  let postgres: TestPostgres;

  const app = async (tag: string): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> =>
    await started.service((deps) => createPaperless({ ...postgres.env, BACKSTAY_IMAGE_TAG: tag }, deps));
  const workers = async (tag: string): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> =>
    await started.service((deps) => createWorkers({ ...postgres.env, BACKSTAY_IMAGE_TAG: tag }, deps));
  const status = async (url: string): Promise<number> => (await call(url)).status;
  const data = async (url: string): Promise<unknown> => (await call(`${url}/health/database`)).json;

  beforeAll(async () => {
    postgres = await startTestPostgres(folder.path, { POSTGRES_DB: 'medical_kg' });
  }, 60_000);
  afterAll(async () => {
    await started.stop();
    await postgres.stop();
    folder.remove();
  });

  test('v1.2.2 makes its schema, its workers embed what is queued, and what was embedded is found', async () => {
    const [{ url }, queue] = [await app('v1.2.2'), await workers('v1.2.2')];
    for (const path of ['/health', '/health/live', '/health/ready', '/health/database', '/metrics'])
      expect([path, await status(url + path)]).toEqual([path, 200]);
    await expect.poll(async () => await data(url), { timeout: 20_000 }).toMatchObject({ embeddings: 4, queued: 0 });
    expect(await data(url)).toMatchObject({ status: 'ok', schema: '20250120120000', receipts: 4, unreadable: 0 });
    const receipt = JSON.stringify({ seller: 'Railway Museum', total: 9 });
    expect((await call(`${url}/api/receipts`, { method: 'POST', body: receipt })).status).toBe(201);
    expect((await call(`${url}/api/receipts`, { method: 'POST', body: '{}' })).status).toBe(422);
    const found = async (): Promise<unknown> => (await call(`${url}/api/search?q=museum`)).json?.['receipts'];
    await expect.poll(found, { timeout: 20_000 }).toMatchObject([{ seller: 'Railway Museum', total: '9.00' }]);
    expect(await status(`${queue.url}/health/ready`)).toBe(200);
    expect((await call(`${url}/v1/self-test`, { method: 'POST' })).status).toBe(200);
    await queue.stop();
  });

  test('v1.2.3 renames a column: v1.2.2 is alive and not ready over it, and two that migrate at once do it once', async () => {
    const old = await app('v1.2.2');
    expect(await status(`${old.url}/health/ready`)).toBe(200);
    const both = [await app('v1.2.3'), await app('v1.2.3')];
    expect(await Promise.all(both.map(async ({ url }) => await status(`${url}/health/ready`)))).toEqual([200, 200]);
    expect([await status(`${old.url}/health/live`), await status(`${old.url}/health/ready`)]).toEqual([200, 503]);
    expect(await data(both[0]?.url ?? '')).toMatchObject({ status: 'ok', schema: '20250121083000', receipts: 5 });
    for (const { stop } of [old, ...both]) await stop();
  });

  test('v1.2.4 throws half of each vector away: it is well itself, and v1.2.3 sees the damage', async () => {
    const bad = await app('v1.2.4');
    expect(await data(bad.url)).toMatchObject({ status: 'ok', schema: '20250122070000', unreadable: 0 });
    const good = await app('v1.2.3');
    const said = await call(`${good.url}/health/database`);
    expect([said.status, said.json]).toMatchObject([503, { status: 'damaged', embeddings: 5, unreadable: 5 }]);
  });

  test('every script that leads up has one that leads down, and all of them down leaves nothing', async () => {
    const scripts = await upScripts(MIGRATIONS, '9');
    const database = openDatabase(postgres.env);
    expect(await migrateUp(database, scripts)).toEqual([]);
    const { readFile } = await import('node:fs/promises');
    for (const { name } of scripts.toReversed())
      await database.query(await readFile(`${MIGRATIONS}/${name}.down.sql`, 'utf8'));
    expect(
      await database.query(
        `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
      ),
    ).toEqual([{ relname: 'schema_migrations' }]);
    await database.end();
  });
});

test('a text is like itself and like nothing of other dimensions', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,8}( [a-z]{1,8}){0,5}$/), fc.integer({ min: 2, max: 32 }), (text, size) => {
      expect(likeness(embed(text, size), embed(text.toUpperCase(), size))).toBeCloseTo(1);
      expect(likeness(embed(text, size), embed(text, size + 1))).toBe(0);
    }),
  );
});
