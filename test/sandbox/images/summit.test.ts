import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createIntelgraph } from '../../../src/sandbox/images/intelgraph-server/server.ts';
import { createUi } from '../../../src/sandbox/images/intelgraph-ui/server.ts';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import type { Env } from '../../../src/sandbox/images/kit/service.ts';
import { findAlembic } from '../../../src/toolchain/alembic.ts';
import { Started, startTestPostgres, temporaryFolder, type TestPostgres } from './support.ts';

const BIN = fileURLToPath(new URL('../../../src/sandbox/images/intelgraph-server/bin', import.meta.url));

describe('Summit', { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  const started = new Started();
  let postgres: TestPostgres;
  let alembic: string;
  let env: Env;

  const server = async (tag: string, more: Env = {}): Promise<string> => {
    const own = { ...env, BACKSTAY_IMAGE_TAG: tag, ...more };
    const app = `${folder.path}/${tag}/app`;
    return (await started.service((deps) => createIntelgraph(own, { ...deps, alembic: async () => alembic, app }))).url;
  };
  const said = async (url: string, path: string): Promise<unknown> => {
    const { status, json } = await call(url + path, { timeoutMs: 20_000 });
    return { http: status, ...json };
  };

  beforeAll(async () => {
    alembic = await findAlembic();
    postgres = await startTestPostgres(folder.path);
    const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = postgres.env;
    const account = `${PGUSER}:${encodeURIComponent(PGPASSWORD ?? '')}`;
    env = { PATH: process.env['PATH'], DATABASE_URL: `postgresql://${account}@${PGHOST}:${PGPORT}/${PGDATABASE}` };
  }, 300_000);
  afterAll(async () => {
    await started.stop();
    await postgres.stop();
    folder.remove();
  });

  test('v4.0.4 makes its schema by Alembic, serves it, and knows who asks', async () => {
    const url = await server('v4.0.4', { API_TOKEN: 'word' });
    expect(await said(url, '/health/ready')).toEqual({ http: 200, status: 'ready' });
    expect(await said(url, '/health/database')).toMatchObject({ http: 200, revision: '0001_entities', loose: 0 });
    expect(await said(url, '/api/entities')).toMatchObject({
      entities: expect.arrayContaining([{ id: '4', title: 'MV Petrel', kind: 'ship' }]),
    });
    expect(await said(url, '/api/auth/check')).toMatchObject({ http: 401 });
    const known = await call(`${url}/api/auth/check`, { headers: { authorization: 'Bearer word' } });
    expect(known.status).toBe(200);
    const ui = async (more: Env): Promise<number> => {
      const page = await started.service((deps) => createUi({ SERVER_URL: url, ...more }, deps));
      return (await call(page.url)).status;
    };
    expect(await ui({ BACKSTAY_IMAGE_TAG: 'v4.0.5', NEW_UI: 'false' })).toBe(200);
    expect(await ui({ BACKSTAY_IMAGE_TAG: 'v4.0.5', NEW_UI: 'true' })).toBe(500);
  });

  test('is closed by MAINTENANCE_MODE: ready, without users, and leaves the schema as it is', async () => {
    const url = await server('v4.1.0', { MAINTENANCE_MODE: 'true' });
    expect(await said(url, '/health/ready')).toEqual({ http: 200, status: 'maintenance' });
    expect(await said(url, '/health/open')).toMatchObject({ http: 503, status: 'maintenance' });
    expect(await said(url, '/api/entities')).toMatchObject({ http: 503, status: 'maintenance' });
    expect(await said(url, '/health/database')).toMatchObject({ revision: '0001_entities' });
  });

  test('v4.0.5 adds, and v4.0.4 works on; v4.1.0 renames, and only then it does not', async () => {
    const old = await server('v4.0.4');
    expect(await said(await server('v4.0.5'), '/health/ready')).toMatchObject({ http: 200 });
    expect(await said(old, '/health/ready')).toMatchObject({ http: 200 });
    expect(await said(old, '/health/database')).toMatchObject({ revision: '0002_confidence' });
    expect(await said(await server('v4.1.0'), '/health/ready')).toMatchObject({ http: 200 });
    expect(await said(old, '/health/ready')).toMatchObject({ http: 503, reason: expect.stringContaining('name') });
  });

  test('the release that broke it knows the way down, by the program on the PATH of its image; an older one does not', async () => {
    const run = async (tag: string, ...args: string[]): Promise<string> => {
      const own = { ...env, PATH: `${BIN}:${env['PATH']}`, BACKSTAY_POD_DATA: `${folder.path}/${tag}` };
      const { stdout } = await promisify(execFile)('alembic', args, { env: own });
      return stdout.trim();
    };
    await expect(run('v4.0.5', 'downgrade', '0002_confidence')).rejects.toMatchObject({
      stdout: expect.stringContaining(`'0003_labels'`),
    });
    expect(await run('v4.1.0', 'current')).toContain('0003_labels');
    await run('v4.1.0', 'downgrade', '0002_confidence');
    expect(await run('v4.0.5', 'current')).toContain('0002_confidence');
  });

  test('v4.1.1 merges what cannot be told apart again: the check of the data sees it', async () => {
    const url = await server('v4.1.1');
    expect(await said(url, '/health/ready')).toMatchObject({ http: 200 });
    expect(await said(url, '/health/database')).toMatchObject({ http: 503, status: 'damaged', relations: 0 });
  });
});
