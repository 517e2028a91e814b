import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { OpenAPIHono } from '@hono/zod-openapi';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSystemClock } from '../../src/adapters/system/index.ts';
import { type CertificatePair, followCertificate } from '../../src/http/certificate.ts';
import type { AppEnv } from '../../src/http/context.ts';
import { type Listening, listen } from '../../src/http/server.ts';
import { createPki } from '../../src/sandbox/pki.ts';
import type { LogLine } from '../../src/service/log.ts';

/** A server on a socket, and its certificate where a Secret is mounted. */
describe('a certificate that is renewed while the service runs', () => {
  let dir: string;
  let mount: string;
  let listening: Listening;
  let generation = 0;
  let looks = 0;
  let log: LogLine[];
  const agents: Agent[] = [];
  let over: AbortController;
  let following: Promise<void>;
  const pki = new Map<string, Awaited<ReturnType<typeof createPki>>>();

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-tls-'));
    mount = join(dir, 'mount');
    await mkdir(mount);
    for (const name of ['first', 'second']) pki.set(name, await createPki(join(dir, name)));
    await exchange(await issued('first'));
    for (const name of ['tls.crt', 'tls.key']) await symlink(join('..data', name), join(mount, name));
    const app = new OpenAPIHono<AppEnv>();
    app.get('/', (c) => c.text('here'));
    app.get('/slow', () => new Response(new ReadableStream({ start: (to) => to.enqueue(new Uint8Array(1)) })));
    const pair = await read();
    listening = await listen({ host: '127.0.0.1', port: 0, tls: pair }, () => app);
    log = [];
    over = new AbortController();
    const use = listening.renew;
    if (use === undefined) throw new TypeError('it speaks no TLS');
    following = followCertificate(
      pair,
      { read, use, clock: createSystemClock(), log: (line) => void log.push(line), everyMs: 5 },
      over.signal,
    );
  });
  afterEach(async () => {
    over.abort();
    await following;
    for (const agent of agents.splice(0)) agent.destroy();
    await listening.close(0);
    await rm(dir, { recursive: true, force: true });
  });

  const issued = async (name: string): Promise<CertificatePair> => {
    const { apiServer } = pki.get(name) ?? (await createPki(join(dir, name)));
    return { cert: await readFile(apiServer.cert, 'utf8'), key: await readFile(apiServer.key, 'utf8') };
  };
  /** As the kubelet does it: a folder of the new files, and one symbolic link that is exchanged for another. */
  const exchange = async ({ cert, key }: CertificatePair): Promise<void> => {
    generation += 1;
    const data = join(mount, `..${generation}`);
    await mkdir(data);
    await writeFile(join(data, 'tls.crt'), cert);
    await writeFile(join(data, 'tls.key'), key);
    await symlink(basename(data), join(dirname(data), '..data_tmp'));
    await rename(join(mount, '..data_tmp'), join(mount, '..data'));
  };
  const read = async (): Promise<CertificatePair> => {
    looks += 1;
    const [cert, key] = await Promise.all(
      ['tls.crt', 'tls.key'].map(async (name) => await readFile(join(mount, name), 'utf8')),
    );
    return { cert: cert ?? '', key: key ?? '' };
  };
  const looked = async (times: number): Promise<void> => {
    const from = looks;
    await vi.waitFor(() => expect(looks).toBeGreaterThanOrEqual(from + times), { timeout: 30_000, interval: 5 });
  };
  const agent = (): Agent => {
    const made = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    agents.push(made);
    return made;
  };
  /** The certificate that a connection was opened with, and whether that was just now. */
  const ask = async (by: Agent) =>
    await new Promise<{ readonly cert: string; readonly isReused: boolean }>((resolve, reject) => {
      const asked = request(`${listening.url}/`, { agent: by }, (answer) => {
        const { raw } = (answer.socket as TLSSocket).getPeerCertificate();
        answer.resume();
        answer.once('end', () => resolve({ cert: raw.toString('base64'), isReused: asked.reusedSocket }));
      });
      asked.on('error', reject).end();
    });
  const derOf = ({ cert }: CertificatePair): string => cert.replaceAll(/-----[^-]+-----|\s/g, '');

  it('is used by the next connection, and drops none', async () => {
    const [before, after] = [await issued('first'), await issued('second')];
    const open = agent();
    expect(await ask(open)).toEqual({ cert: derOf(before), isReused: false });
    let isCut = false;
    const stream = request(`${listening.url}/slow`, { agent: agent() });
    const bytes = new Promise((resolve) =>
      stream.once('response', (answer) => answer.once('data', resolve).once('close', () => (isCut = true))),
    );
    stream.on('error', () => undefined).end();
    await bytes;
    await exchange(after);
    await vi.waitFor(() => expect(log).toHaveLength(1), { timeout: 30_000, interval: 5 });
    expect(log).toMatchObject([{ level: 'info', event: 'tls.renewed' }]);
    expect(Date.parse(String(log[0]?.['validUntil']))).toBeGreaterThan(Date.now());
    expect(await ask(agent())).toEqual({ cert: derOf(after), isReused: false });
    expect(await ask(open)).toEqual({ cert: derOf(before), isReused: true });
    expect(isCut).toBe(false);
    stream.destroy();
  });

  it.each([
    [
      'of which the key is another one’s',
      async () => ({ cert: (await issued('second')).cert, key: (await issued('first')).key }),
    ],
    ['that is none', async () => ({ cert: 'nothing', key: 'nothing' })],
    ['whose key is empty yet', async () => ({ ...(await issued('second')), key: '' })],
    ['whose certificate is empty yet', async () => ({ ...(await issued('second')), cert: '' })],
  ])('stays where the new one is a pair %s: told once, and mended by the next', async (_, broken) => {
    await exchange(await broken());
    await looked(6);
    expect(log).toMatchObject([{ level: 'error', event: 'tls.unusable', code: 'SERVICE_INVALID' }]);
    expect(JSON.stringify(log)).not.toContain('PRIVATE');
    expect((await ask(agent())).cert).toBe(derOf(await issued('first')));
    await exchange(await issued('second'));
    await vi.waitFor(() => expect(log).toHaveLength(2), { timeout: 30_000, interval: 5 });
    expect(log[1]).toMatchObject({ event: 'tls.renewed' });
    expect((await ask(agent())).cert).toBe(derOf(await issued('second')));
  });

  it('is looked for again when its files were away', async () => {
    await rename(join(mount, 'tls.key'), join(mount, 'gone'));
    await looked(6);
    expect(log).toMatchObject([{ event: 'tls.unusable' }]);
    expect((await ask(agent())).cert).toBe(derOf(await issued('first')));
    await rename(join(mount, 'gone'), join(mount, 'tls.key'));
    await exchange(await issued('second'));
    await vi.waitFor(() => expect(log).toHaveLength(2), { timeout: 30_000, interval: 5 });
    expect((await ask(agent())).cert).toBe(derOf(await issued('second')));
  });
});
