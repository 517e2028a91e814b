import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDocling } from '../../../src/sandbox/images/docling-vlm/server.ts';
import { createGateway } from '../../../src/sandbox/images/gateway/server.ts';
import { call, type CallResult } from '../../../src/sandbox/images/kit/call.ts';
import { ensureSchema } from '../../../src/sandbox/images/kit/schema.ts';
import type { Env } from '../../../src/sandbox/images/kit/service.ts';
import { createMineru } from '../../../src/sandbox/images/mineru-parser/server.ts';
import { chunksOf } from '../../../src/sandbox/images/pdf-orchestrator/ingest.ts';
import { createOrchestrator } from '../../../src/sandbox/images/pdf-orchestrator/server.ts';
import { createServices } from '../../../src/sandbox/images/services/server.ts';
import { openDatabase, Started, startTestPostgres, temporaryFolder, type TestPostgres } from './support.ts';

const NOWHERE = 'http://127.0.0.1:1';
const folder = temporaryFolder();
const started = new Started();
let postgres: TestPostgres;
let pdf: Buffer;

beforeAll(async () => {
  postgres = await startTestPostgres(folder.path);
  pdf = await readFile(new URL('../../../examples/medical-kg/canaries/canary-one.pdf', import.meta.url));
});
afterAll(async () => {
  await started.stop();
  await postgres.stop();
  folder.remove();
});

interface Stack {
  readonly gateway: string;
  readonly edge: string;
  readonly orchestrator: { readonly url: string; readonly stop: () => Promise<void> };
  readonly env: Env;
}

/** All programs of one state of the product, wired by their environment as the ConfigMap wires them. */
async function start(backend: 'docling' | 'mineru', more: Env = {}): Promise<Stack> {
  const parser = await started.service((deps) =>
    backend === 'docling' ? createDocling({}, deps) : createMineru({}, deps),
  );
  const services = await started.service((deps) => createServices(postgres.env, deps));
  const env: Env = {
    ...postgres.env,
    PDF_PROCESSING_BACKEND: backend,
    SERVICES_URL: services.url,
    DOCLING_URL: backend === 'docling' ? parser.url : NOWHERE,
    MINERU_URL: backend === 'mineru' ? parser.url : NOWHERE,
    ...more,
  };
  const orchestrator = await started.service((deps) => createOrchestrator(env, deps));
  // As the kubelet would: the first question whether it is ready makes the schema.
  await call(`${orchestrator.url}/ready`);
  const gateway = async (role: string): Promise<string> =>
    (
      await started.service((deps) =>
        createGateway({ ...env, GATEWAY_ROLE: role, ORCHESTRATOR_URL: orchestrator.url }, deps),
      )
    ).url;
  return { orchestrator, env, gateway: await gateway('documents'), edge: await gateway('edge') };
}

const send = async (url: string, query = ''): Promise<CallResult> =>
  await call(`${url}/api/v1/documents${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/pdf' },
    body: pdf,
    timeoutMs: 10_000,
  });
const status = async (url: string): Promise<number> => (await call(url)).status;

describe('Medical_KG with MinerU', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await start('mineru');
  });

  test('says that Docling is off and MinerU is on', async () => {
    const docling = await call(`${stack.gateway}/health/docling`);
    expect([docling.status, docling.json?.['reason']]).toEqual([503, 'PDF_PROCESSING_BACKEND is mineru']);
    expect(await status(`${stack.gateway}/health/mineru`)).toBe(200);
  });

  test('answers every health question of the runbook', async () => {
    for (const path of [
      '/health',
      '/ready',
      '/health/database',
      '/api/v1/health',
      '/api/v1/documents',
      '/api/v1/users',
    ]) {
      expect([path, await status(stack.edge + path)]).toEqual([path, 200]);
    }
  });

  test('reads a document, stores it with its chunks and finds it again', async () => {
    const answer = await send(stack.gateway);
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ backend: 'mineru', pages: 1 });
    const list = (await call(`${stack.edge}/api/v1/documents`)).json?.['documents'] as { id: string; chunks: number }[];
    expect(list.find(({ id }) => id === answer.json?.['id'])?.chunks).toBe(answer.json?.['chunks']);
    const found = await call(`${stack.env['SERVICES_URL']}/v1/search?q=lactic+acidosis`);
    expect(((found.json?.['hits'] ?? []) as { document: string }[]).map(({ document }) => document)).toContain(
      answer.json?.['id'],
    );
  });

  test('leaves no trace of a document that is not to be stored', async () => {
    const database = openDatabase(postgres.env);
    const count = async (): Promise<unknown> => await database.query('SELECT count(*) FROM documents');
    const before = await count();
    expect((await send(stack.gateway, '?store=false')).json).toMatchObject({ id: null, backend: 'mineru' });
    expect(await count()).toEqual(before);
    await database.end();
  });

  test.each([
    ['text/plain', 'x', 415],
    ['application/pdf', 'no pdf at all', 422],
    ['application/pdf', '%PDF-1.7 and then nothing', 502],
  ])('refuses %s with the body %j by %i', async (type, body, expected) => {
    const answer = await call(`${stack.gateway}/api/v1/documents`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    expect(answer.status).toBe(expected);
  });

  test('pauses ingest for every replica and over a restart, once however often it is asked, and resumes it', async () => {
    const pause = async (reason: string): Promise<CallResult> =>
      await call(`${stack.gateway}/v1/orchestration/pause`, { method: 'POST', body: JSON.stringify({ reason }) });
    const first = await pause('rollback 1');
    expect(first.json).toMatchObject({ paused: true, reason: 'rollback 1', inFlight: 0 });
    expect((await pause('another')).json).toEqual(first.json);
    const refused = await send(stack.gateway);
    expect([refused.status, refused.headers['retry-after'], refused.json?.['error']]).toEqual([
      503,
      '30',
      'ingest is paused: rollback 1',
    ]);
    await stack.orchestrator.stop();
    const again = await started.service((deps) => createOrchestrator(stack.env, deps));
    expect((await call(`${again.url}/v1/status`)).json).toMatchObject({ paused: true, reason: 'rollback 1' });
    expect((await call(`${again.url}/v1/resume`, { method: 'POST' })).json).toMatchObject({
      paused: false,
      reason: null,
    });
    const job = await call(`${again.url}/v1/jobs?store=false`, { method: 'POST', body: pdf, timeoutMs: 10_000 });
    expect(job.status).toBe(200);
  });

  test('a gateway whose orchestrator is gone is not ready, and says why', async () => {
    const { url } = await started.service((deps) => createGateway({ ...stack.env, ORCHESTRATOR_URL: NOWHERE }, deps));
    const ready = await call(`${url}/ready`);
    expect(ready.status).toBe(503);
    expect(String(ready.json?.['reasons'])).toContain('orchestrator');
    expect(await status(`${url}/health`)).toBe(200);
  });

  test('keeps the control plane of ingest away from the outside', async () => {
    expect(await status(`${stack.edge}/v1/orchestration/status`)).toBe(404);
    expect(await status(`${stack.gateway}/v1/orchestration/status`)).not.toBe(404);
  });
});

describe('Medical_KG with Docling', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await start('docling', { API_AUTH: 'required', API_TOKENS: 'one,two' });
  });

  test('says that Docling is on and MinerU is not there', async () => {
    expect([await status(`${stack.gateway}/health/docling`), await status(`${stack.gateway}/health/mineru`)]).toEqual([
      200, 503,
    ]);
  });

  test('asks for a bearer token where that is switched on, and takes only those it knows', async () => {
    const users = async (authorization?: string): Promise<number> =>
      (await call(`${stack.edge}/api/v1/users`, authorization === undefined ? {} : { headers: { authorization } }))
        .status;
    expect([await users(), await users('Bearer three'), await users('Basic two'), await users('Bearer two')]).toEqual([
      401, 401, 401, 200,
    ]);
    expect(await status(`${stack.edge}/api/v1/health`)).toBe(200);
  });

  test('sends documents to Docling', async () => {
    const answer = await call(`${stack.gateway}/api/v1/documents`, {
      method: 'POST',
      headers: { 'content-type': 'application/pdf', authorization: 'Bearer one' },
      body: pdf,
      timeoutMs: 10_000,
    });
    expect(answer.json).toMatchObject({ backend: 'docling' });
    expect(answer.json?.['text']).toMatch(/^# Dosing note/);
  });
});

test('a gateway without its database says so instead of failing', async () => {
  const { url } = await started.service((deps) => createGateway({ PGHOST: '127.0.0.1', PGPORT: '1' }, deps));
  expect([
    await status(`${url}/health/database`),
    await status(`${url}/ready`),
    await status(`${url}/api/v1/documents`),
    await status(`${url}/health`),
  ]).toEqual([503, 503, 503, 200]);
});

test('the schema is made once by however many start at the same moment, and a deleted row stays deleted', async () => {
  const database = openDatabase(postgres.env);
  await database.query('DROP TABLE chunks, documents, users, orchestration_state');
  await Promise.all([ensureSchema(database), ensureSchema(database), ensureSchema(database)]);
  expect(await database.query('SELECT count(*)::int AS users FROM users')).toEqual([{ users: 3 }]);
  await database.query("DELETE FROM users WHERE email LIKE 'ada%'");
  await ensureSchema(database);
  expect(await database.query('SELECT count(*)::int AS users FROM users')).toEqual([{ users: 2 }]);
  await database.end();
});

test('chunks are whole paragraphs, none is lost and none is cut', () => {
  const paragraphs = [30, 60, 10, 200, 5].map((length, index) =>
    Array.from({ length }, (_each, n) => `w${index}.${n}`).join(' '),
  );
  const chunks = chunksOf(paragraphs.join('\n\n'));
  expect(chunks.join('\n\n')).toBe(paragraphs.join('\n\n'));
  expect(chunks.map((chunk) => chunk.split(/\s+/).length)).toEqual([30, 70, 200, 5]);
});
