import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import { createServices } from '../../../src/sandbox/images/services/server.ts';
import { Started, startTestPostgres, temporaryFolder, type TestPostgres } from './support.ts';

/** The release that damages data, and the question that notices it. */
describe('the reindexing of v1.3.0', { timeout: 60_000 }, () => {
  const folder = temporaryFolder();
  const started = new Started();
  let postgres: TestPostgres;

  const release = async (tag: string): Promise<string> =>
    (await started.service((deps) => createServices({ ...postgres.env, BACKSTAY_IMAGE_TAG: tag }, deps))).url;
  const wholeness = async (url: string): Promise<unknown> => {
    const { status, json } = await call(`${url}/health/data`);
    return { http: status, ...json };
  };

  beforeAll(async () => {
    postgres = await startTestPostgres(folder.path);
  }, 60_000);
  afterAll(async () => {
    await started.stop();
    await postgres.stop();
    folder.remove();
  });

  test('is not known to v1.2.2, and empties in v1.3.0 what MinerU had read', async () => {
    const [old, bad] = [await release('v1.2.2'), await release('v1.3.0')];
    expect(await wholeness(old)).toMatchObject({ http: 200, status: 'whole', documents: 1, chunks: 2 });
    expect((await call(`${old}/v1/reindex`, { method: 'POST' })).status).toBe(404);
    expect((await call(`${bad}/v1/reindex`, { method: 'POST' })).json).toEqual({ reindexed: 1 });
    const damaged = { http: 503, status: 'damaged', documents: 1, chunks: 0, withoutText: 1, withoutChunks: 1 };
    // It is the data that is damaged, so every release sees it.
    expect(await wholeness(old)).toEqual(damaged);
    expect(await wholeness(bad)).toEqual(damaged);
  });
});
