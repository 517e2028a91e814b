import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { OpenAPIHono } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltPage, ensurePage } from '../../scripts/page.ts';
import type { AppEnv, HttpDeps } from '../../src/http/context.ts';
import { NOT_BUILT, page } from '../../src/http/page.ts';

/** Of all scripts together, zipped. */
const LIMIT_BYTES = 60 * 1024;

let built: BuiltPage;
let empty: string;
beforeAll(async () => {
  built = await ensurePage();
  empty = await mkdtemp(join(tmpdir(), 'backstay-page-'));
});
afterAll(async () => {
  await rm(empty, { recursive: true });
});

function serving(folder: string): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>();
  page(folder)(app, {} as HttpDeps);
  return app;
}

async function names(): Promise<readonly string[]> {
  return await readdir(join(built.folder, 'assets'));
}

describe('the built page', () => {
  it(`loads scripts of less than ${LIMIT_BYTES} bytes`, () => {
    expect(built.scriptsZipped).toBeLessThan(LIMIT_BYTES);
    expect(built.scriptsZipped).toBeGreaterThan(10_000);
  });

  it('asks nobody else for anything, and runs nothing that stands in the document', async () => {
    const html = await readFile(join(built.folder, 'index.html'), 'utf8');
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThanOrEqual(3);
    expect(links.filter((link) => !link?.startsWith('./assets/'))).toEqual([]);
    expect(html).not.toMatch(/<style|style="|<script(?![^>]*\bsrc=)/);
    expect((await names()).every((name) => /-[\w-]{8}\.(js|css|svg)$/.test(name))).toBe(true);
  });

  it('is not built a second time from the same sources', async () => {
    const before = await readFile(join(built.folder, 'index.html'), 'utf8');
    await writeFile(join(built.folder, 'assets', 'a-mark.svg'), '<svg/>');
    expect((await ensurePage()).folder).toBe(built.folder);
    expect(await names()).toContain('a-mark.svg');
    await rm(join(built.folder, 'assets', 'a-mark.svg'));
    expect(await readFile(join(built.folder, 'index.html'), 'utf8')).toBe(before);
  });
});

describe('what serves it', () => {
  it('gives the document anew when it changed, and not when it did not', async () => {
    const app = serving(built.folder);
    const first = await app.request('/');
    expect(first.status).toBe(200);
    expect(first.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const etag = first.headers.get('etag') ?? '';
    const again = await app.request('/', { headers: { 'if-none-match': `W/${etag}, "other"` } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect((await app.request('/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });

  it('lets browsers keep its parts for ever, and zips them for those that can read it', async () => {
    const app = serving(built.folder);
    const name = (await names()).find((one) => one.endsWith('.js')) ?? '';
    const plain = await app.request(`/assets/${name}`);
    expect(plain.headers.get('cache-control')).toContain('immutable');
    expect(plain.headers.get('content-encoding')).toBeNull();
    const zipped = await app.request(`/assets/${name}`, { headers: { 'accept-encoding': 'br, gzip' } });
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect(gunzipSync(Buffer.from(await zipped.arrayBuffer())).toString()).toBe(await plain.text());
    const refused = await app.request(`/assets/${name}`, { headers: { 'accept-encoding': 'gzip;q=0, br' } });
    expect(refused.headers.get('content-encoding')).toBeNull();
  });

  it.each(['/assets/none.js', '/assets/..%2findex.html', '/assets/../built-from', '/built-from', '/index.html'])(
    'does not give %s',
    async (path) => {
      expect((await serving(built.folder).request(path)).status).toBe(404);
    },
  );

  it('says in one line that nothing is built, and serves it as soon as it is', async () => {
    const app = serving(join(empty, 'page'));
    const answer = await app.request('/');
    expect([answer.status, await answer.text()]).toEqual([503, NOT_BUILT]);
    expect(NOT_BUILT.trim().split('\n')).toHaveLength(1);
    const late = await ensurePage(join(empty, 'elsewhere'));
    await rename(late.folder, join(empty, 'page'));
    expect((await app.request('/')).status).toBe(200);
  });
});
