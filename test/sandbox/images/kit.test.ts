import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createEcho } from '../../../src/sandbox/images/echo/server.ts';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import { Metrics, parseMetrics, sumOf } from '../../../src/sandbox/images/kit/metrics.ts';
import { createService } from '../../../src/sandbox/images/kit/service.ts';
import { freePort } from '../../../src/free-port.ts';
import { Started, startProgram, temporaryFolder, untilSaid } from './support.ts';

const started = new Started();
const folder = temporaryFolder();
afterAll(async () => {
  await started.stop();
  folder.remove();
});

describe('a program of the sandbox', () => {
  test('says who it is and what its process was started with', async () => {
    const env = { VERSION: '2', COLOR: 'green', HOSTNAME: 'echo-1', GREETING: 'hello' };
    const { url } = await started.service((deps) => createEcho(env, deps));
    expect((await call(`${url}/any`)).json).toMatchObject({
      pod: 'echo-1',
      version: '2',
      color: 'green',
      path: '/any',
    });
    expect((await call(`${url}/env/GREETING`)).text).toBe('hello');
    expect((await call(`${url}/env/ABSENT`)).status).toBe(404);
  });

  test('follows its faults file as it is written, changed and removed, and leaves the probes alone', async () => {
    const file = join(folder.path, 'faults.json');
    const { url } = await started.service((deps) =>
      createEcho({ BACKSTAY_POD_FAULTS: file }, { ...deps, random: () => 0.5 }),
    );
    const status = async (path: string): Promise<number> => (await call(url + path)).status;
    expect(await status('/work')).toBe(200);
    writeFileSync(file, '{"errorRate": 0.6}');
    expect([await status('/work'), await status('/health'), await status('/metrics')]).toEqual([500, 200, 200]);
    writeFileSync(file, '{"errorRate": 0.4, "delayMs": 1}');
    expect(await status('/work')).toBe(200);
    writeFileSync(file, '{"errorRate": 0.99');
    expect(await status('/work')).toBe(200);
    writeFileSync(file, '{"errorRate": 1}');
    expect(await status('/work')).toBe(500);
    rmSync(file);
    expect(await status('/work')).toBe(200);
  });

  test('logs one JSON line a request and counts it by code', async () => {
    const lines: string[] = [];
    const { url } = await started.service((deps) =>
      createService({
        name: 'x',
        env: {},
        metrics: new Metrics(),
        deps: { ...deps, log: (line) => lines.push(line) },
        routes: {
          'GET /a': () => ({ status: 200 }),
          'POST /a': async (ask) => ({ status: 200, body: (await ask.body(3)).toString() }),
        },
      }),
    );
    await call(`${url}/a?secret=1`);
    expect((await call(`${url}/a`, { method: 'DELETE' })).status).toBe(405);
    expect((await call(`${url}/nowhere`)).status).toBe(404);
    expect((await call(`${url}/a`, { method: 'POST', body: 'abcd' })).status).toBe(413);
    expect(lines.map((line) => (JSON.parse(line) as { status: number }).status)).toEqual([200, 405, 404, 413]);
    expect(lines.join()).not.toContain('secret');
    const samples = parseMetrics((await call(`${url}/metrics`)).text);
    expect(sumOf(samples, 'http_requests_total', { code: '200', path: '/a' })).toBe(1);
    expect(sumOf(samples, 'http_requests_total', { path: 'other' })).toBe(1);
  });

  test('ends with code 0 on SIGTERM, and only after the request that is under way has its answer', async () => {
    const faults = join(folder.path, 'slow.json');
    writeFileSync(faults, '{"delayMs": 600}');
    const port = await freePort();
    const child = startProgram('echo', { PORT: String(port), BACKSTAY_POD_FAULTS: faults });
    const exited = once(child, 'exit');
    const health = async (): Promise<void> => {
      const answer = await call(`http://127.0.0.1:${port}/health`).catch(() => undefined);
      if (answer === undefined && child.exitCode === null) await health();
    };
    await health();
    const slow = call(`http://127.0.0.1:${port}/slow`, { timeoutMs: 5000 });
    await call(`http://127.0.0.1:${port}/health`);
    child.kill('SIGTERM');
    expect((await slow).status).toBe(200);
    expect(await exited).toEqual([0, null]);
  });

  test('says why it cannot start and ends with code 1', async () => {
    const { url } = await started.service((deps) => createEcho({}, deps));
    const child = startProgram('echo', { PORT: new URL(url).port });
    const exited = once(child, 'exit');
    expect(await untilSaid(child, /EADDRINUSE/)).toContain('"service":"echo"');
    expect((await exited)[0]).toBe(1);
  });
});

describe('a call between programs', () => {
  test('gives up on a service that does not answer in time, and names it', async () => {
    const { url } = await started.service((deps) =>
      createService({
        name: 'mute',
        env: {},
        metrics: new Metrics(),
        deps,
        routes: { 'GET /': () => new Promise((resolve) => setTimeout(resolve, 300, { status: 200 })) },
      }),
    );
    await expect(call(url, { timeoutMs: 50 })).rejects.toThrow(/no answer from 127\.0\.0\.1:\d+ within 50 ms/);
    await expect(call('http://127.0.0.1:1/')).rejects.toThrow(/cannot be reached/);
  });
});
