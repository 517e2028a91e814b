import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { DownloadSpec } from '../../src/toolchain/catalogue.ts';
import { ensureFrom } from '../../src/toolchain/ensure.ts';
import { program, temporaryFolder, tinyWorld, type World } from './support/tiny.ts';

const spec = (more: Partial<Extract<DownloadSpec, { kind: 'file' }>> = {}): DownloadSpec => ({
  kind: 'file',
  baseVariable: 'TINY_MIRROR',
  base: 'http://127.0.0.1:1',
  path: (version) => `v${version}/tiny`,
  ...more,
});

/** Serves these bodies by path and remembers what was asked for. */
async function mirror(files: Readonly<Record<string, string | Buffer>>) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const body = files[request.url!];
    response.writeHead(body === undefined ? 404 : 200).end(body ?? 'no');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const sum = (body: string | Buffer) => createHash('sha512').update(body).digest('hex');
const tiny = '#!/bin/sh\necho "tiny version 1.2.3"\n';

async function ensure(world: World, base: string, env: Record<string, string> = {}) {
  const messages: string[] = [];
  const found = await ensureFrom(world.catalogue, ['tiny'], {
    env: { ...world.env, TINY_MIRROR: base, ...env },
    cacheDir: world.cacheDir,
    onProgress: ({ stage, message }) => stage === 'download' && messages.push(message),
  });
  return { ...found.get('tiny')!, messages };
}

describe('an official download', () => {
  it('with the right checksum is used, and cached for the next time', async () => {
    const world = await tinyWorld({ download: spec() });
    const { base, asked } = await mirror({ '/v1.2.3/tiny': tiny, '/v1.2.3/tiny.sha512': `${sum(tiny)}  tiny\n` });
    expect(await ensure(world, base)).toMatchObject({ origin: 'downloaded', version: '1.2.3' });
    expect(await ensure(world, base)).toMatchObject({ origin: 'cache' });
    expect(asked).toEqual(['/v1.2.3/tiny.sha512', '/v1.2.3/tiny']);
    expect(await world.goCommands()).toEqual([]);
  });

  it('of an archive takes the member that is named', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'in', 'envtest'), { recursive: true });
    await program(join(folder, 'in', 'envtest', 'other'), '9.9.9');
    await program(join(folder, 'in', 'envtest', 'tiny'), '1.2.4');
    execFileSync('tar', ['-czf', join(folder, 'a.tar.gz'), '-C', join(folder, 'in'), '--format=ustar', 'envtest']);
    const archive = await readFile(join(folder, 'a.tar.gz'));
    const { base } = await mirror({ '/a.tar.gz': archive, '/a.tar.gz.sha512': sum(archive) });
    const world = await tinyWorld({ download: spec({ path: () => 'a.tar.gz', member: 'envtest/tiny' }) });
    expect(await ensure(world, base)).toMatchObject({ origin: 'downloaded', version: '1.2.4' });
  });
});

describe('a download that cannot be used gives way to the build', () => {
  const good = { '/v1.2.3/tiny': tiny, '/v1.2.3/tiny.sha512': sum(tiny) };

  it.each<[string, Record<string, string>, RegExp]>([
    ['its checksum is another', { ...good, '/v1.2.3/tiny.sha512': sum('evil') }, /does not match its SHA-512/],
    ['its checksum is no checksum', { ...good, '/v1.2.3/tiny.sha512': '<html>' }, /holds no SHA-512/],
    ['there is none for this machine', {}, /answered 404/],
    ['it does not run here', bothOf('#!/bin/sh\nexit 1\n'), /does not run on this machine/],
  ])('when %s', async (_why, files, reason) => {
    const world = await tinyWorld({ download: spec() });
    const { base } = await mirror(files);
    const { origin, messages } = await ensure(world, base);
    expect(origin).toBe('built');
    expect(messages.at(-1)).toMatch(reason);
  });

  it('when the archive lacks the program', async () => {
    const folder = await temporaryFolder();
    await program(join(folder, 'other'), '9.9.9');
    execFileSync('tar', ['-czf', join(folder, 'a.tar.gz'), '-C', folder, 'other']);
    const archive = await readFile(join(folder, 'a.tar.gz'));
    const { base } = await mirror({ '/a.tar.gz': archive, '/a.tar.gz.sha512': sum(archive) });
    const world = await tinyWorld({ download: spec({ path: () => 'a.tar.gz', member: 'envtest/tiny' }) });
    const { origin, messages } = await ensure(world, base);
    expect(origin).toBe('built');
    expect(messages.at(-1)).toContain('envtest/tiny is not in the downloaded archive');
  });

  it('when the network says no', async () => {
    const world = await tinyWorld({ download: spec() });
    const { origin, messages } = await ensure(world, 'http://127.0.0.1:1');
    expect(origin).toBe('built');
    expect(messages.at(-1)).toContain('no download: ');
  });

  it('at once for the next tool of an origin that did not answer', async () => {
    const world = await tinyWorld({ download: spec() });
    const second = { ...world.tool, name: 'tinier', variable: 'BACKSTAY_TINIER' };
    const messages: string[] = [];
    await ensureFrom({ ...world.catalogue, tools: [world.tool, second] }, ['tiny', 'tinier'], {
      env: world.env,
      cacheDir: world.cacheDir,
      onProgress: ({ stage, message }) => stage === 'download' && messages.push(message),
    }).catch(() => undefined);
    expect(messages.filter((message) => message.startsWith('no download'))).toEqual([
      expect.any(String),
      expect.stringContaining('http://127.0.0.1:1 cannot be reached'),
    ]);
  });

  it('without asking anybody when BACKSTAY_OFFLINE is set', async () => {
    const world = await tinyWorld({ download: spec() });
    const { base, asked } = await mirror(good);
    expect(await ensure(world, base, { BACKSTAY_OFFLINE: '1' })).toMatchObject({ origin: 'built' });
    expect(asked).toEqual([]);
  });
});

function bothOf(body: string): Record<string, string> {
  return { '/v1.2.3/tiny': body, '/v1.2.3/tiny.sha512': sum(body) };
}
