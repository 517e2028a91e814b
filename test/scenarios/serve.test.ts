import { readFile, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPki } from '../../src/sandbox/pki.ts';
import { type Machine, machine, type Running } from '../support/backstay.ts';
import { aStackFile } from '../support/service.ts';

/** `backstay serve` as a process, and what it prints. No cluster is needed. */
describe('backstay serve', () => {
  let here: Machine;
  const started: Running[] = [];

  beforeEach(async () => {
    here = await machine();
    await here.stack('shop', aStackFile());
  });
  afterEach(async () => {
    for (const { child, ended } of started.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
    await here.remove();
  });

  const serve = async (...args: readonly string[]) => {
    const running = here.start(['serve', '--listen', '127.0.0.1:0', '--output', 'jsonl', ...args]);
    started.push(running);
    let stdout = '';
    const url = await new Promise<string>((resolve, reject) => {
      running.child.stdout?.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
        if (stdout.includes('\n')) resolve((JSON.parse(stdout) as { readonly url: string }).url);
      });
      void running.ended.then(({ code, stderr }) => reject(new TypeError(`it ended with ${code}:\n${stderr}`)));
    });
    return { ...running, url };
  };
  const lines = (stderr: string) =>
    stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);

  it('lets the user of this machine in, logs JSON without secrets, and ends when it is told to', async () => {
    const { url, child, ended } = await serve();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const me = await fetch(`${url}/v1/me`);
    expect(await me.json()).toMatchObject({ principal: { id: 'local:tester', by: 'local' } });
    // Who comes through a proxy that nobody named is not the user of this machine.
    const forwarded = await fetch(`${url}/v1/me`, { headers: { 'X-Forwarded-For': '203.0.113.9' } });
    expect(forwarded.status).toBe(401);
    expect(await (await fetch(`${url}/v1/stacks`)).json()).toMatchObject({ items: [{ name: 'shop', state: 'idle' }] });
    const secret = 'bst_0123456789abcanary-hunter2';
    expect(
      (await fetch(`${url}/v1/me?key=canary-hunter2`, { headers: { Authorization: `Bearer ${secret}` } })).status,
    ).toBe(401);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    // A stream that would go on for ever does not keep it.
    const stream = await fetch(`${url}/v1/events`);
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    await stream.text().catch(() => '');
    const log = lines(stderr);
    expect(log.map(({ event }) => event)).toEqual(expect.arrayContaining(['listening', 'request', 'stopping']));
    expect(log.every(({ time, level }) => typeof time === 'string' && typeof level === 'string')).toBe(true);
    expect(stderr).not.toContain('hunter2');
  });

  it('is not there for names that are not its own', async () => {
    const { url } = await serve();
    const port = Number(new URL(url).port);
    const status = await new Promise((resolve, reject) => {
      request({ port, host: '127.0.0.1', path: '/v1/me', headers: { Host: `evil.example:${port}` } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  it('refuses a body that is too large over a socket, and goes on', async () => {
    const { url } = await serve();
    const big = await fetch(`${url}/v1/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: 'x'.repeat(2_000_000) }),
    }).then(
      ({ status }) => status,
      // It may be cut off while it is still being sent.
      () => 413,
    );
    expect(big).toBe(413);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('does not start open to others: exit 64, and says what is missing', async () => {
    const refused = await here.refused(['serve', '--listen', '0.0.0.0:0']);
    expect(refused).toMatchObject({ exit: 64, code: 'SERVICE_OPEN' });
    expect(refused.message).toContain('tokens could be read');
    expect(refused.message).toContain('nobody could be known');
    await writeFile(join(here.projectDir, 'backstay.service.yaml'), 'listen: 0.0.0.0:0\nlimits: { runs: none }\n');
    expect(await here.refused(['serve'])).toMatchObject({ exit: 64, code: 'SERVICE_INVALID' });
    await writeFile(
      join(here.projectDir, 'backstay.service.yaml'),
      'listen: 0.0.0.0:0\nproxy: { trusted: [10.0.0.1] }\n',
    );
    expect((await here.refused(['serve'])).message).not.toContain('tokens could be read');
  });

  it('asks for a token as soon as one was made, on loopback as well, and forgets one that was revoked', async () => {
    const { stdout: token } = await here.ok([
      'token',
      'create',
      'bot',
      '--role',
      'operator',
      '--stack',
      'shop',
      '--expires',
      '1h',
    ]);
    expect(token).toMatch(/^bst_\S{55}\n$/);
    const { url } = await serve();
    const ask = async (headers: Record<string, string>) => await fetch(`${url}/v1/me`, { headers });
    expect((await ask({})).status).toBe(401);
    const bearer = { Authorization: `Bearer ${token.trim()}` };
    expect(await (await ask(bearer)).json()).toMatchObject({
      principal: { id: 'token:bot', grants: [{ role: 'operator', stacks: ['shop'] }] },
    });
    const { items } = await here.json<{ readonly items: readonly object[] }>(['token', 'list']);
    expect(items).toMatchObject([{ name: 'bot', createdBy: expect.stringMatching(/^tester@/) }]);
    expect(JSON.stringify(items)).not.toContain('digest');
    // A stream that it opened ends with it.
    const stream = await fetch(`${url}/v1/events`, { headers: bearer });
    await here.ok(['token', 'revoke', 'bot']);
    await stream.text();
    expect((await ask(bearer)).status).toBe(401);
    expect(await here.refused(['token', 'revoke', 'bot'])).toMatchObject({ exit: 64, code: 'TOKEN_UNKNOWN' });
  });

  it('speaks TLS with the certificate that the settings name, and says which file it cannot read', async () => {
    const { ca, apiServer } = await createPki(join(here.dir, 'pki'));
    const settings = join(here.projectDir, 'backstay.service.yaml');
    await writeFile(settings, `tls: { cert: ${apiServer.cert}, key: ${apiServer.key} }\n`);
    const { url } = await serve();
    expect(url).toMatch(/^https:/);
    const answer = async (authority: string) => {
      const trusted = await readFile(authority);
      return await new Promise((resolve, reject) => {
        secureRequest(`${url}/v1/me`, { ca: trusted, agent: false }, (response) => {
          response.resume();
          resolve([response.statusCode, response.headers['content-type']]);
        })
          .on('error', reject)
          .end();
      });
    };
    expect(await answer(ca)).toEqual([200, 'application/json']);
    // Renewed while it runs, by another authority.
    const renewed = await createPki(join(here.dir, 'renewed'));
    await rename(renewed.apiServer.cert, apiServer.cert);
    await rename(renewed.apiServer.key, apiServer.key);
    await vi.waitFor(async () => expect(await answer(renewed.ca)).toEqual([200, 'application/json']), {
      timeout: 30_000,
      interval: 100,
    });
    await expect(fetch(url.replace('https:', 'http:'))).rejects.toBeInstanceOf(TypeError);
    await writeFile(settings, `tls: { cert: ${apiServer.cert}, key: /nowhere/key.pem }\n`);
    const refused = await here.refused(['serve', '--listen', '127.0.0.1:0']);
    expect(refused).toMatchObject({ exit: 64, code: 'SERVICE_INVALID' });
    expect(refused.message).toContain('/nowhere/key.pem');
    await writeFile(settings, `tls: { cert: ${apiServer.cert}, key: ${apiServer.cert} }\n`);
    expect(await here.refused(['serve', '--listen', '127.0.0.1:0'])).toMatchObject({ code: 'SERVICE_INVALID' });
  });
});
