import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Context } from 'hono';
import type { AppEnv, Routes } from './context.ts';

/** Where scripts/page.ts puts what it builds from src/web. */
const BUILT = fileURLToPath(new URL('../../dist/page', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly body: Buffer<ArrayBuffer>;
  readonly zipped: Buffer<ArrayBuffer>;
}

/** Every file that is served, by its path: `/`, `/assets/NAME`. Nothing else of the folder can be asked for. */
export type PageFiles = ReadonlyMap<string, PageFile>;

/** A build read whole into memory, which it is small enough for; undefined where there is none. */
export async function readPage(folder: string): Promise<PageFiles | undefined> {
  const index = await readFile(join(folder, 'index.html')).catch(() => undefined);
  if (index === undefined) return undefined;
  const names = await readdir(join(folder, 'assets')).catch(() => []);
  const assets = await Promise.all(
    names
      .filter((name) => TYPES[extname(name)] !== undefined)
      .map(
        async (name) =>
          [`/assets/${name}`, await pageFile(name, await readFile(join(folder, 'assets', name)))] as const,
      ),
  );
  return new Map([['/', await pageFile('index.html', index)], ...assets]);
}

async function pageFile(name: string, body: Buffer<ArrayBuffer>): Promise<PageFile> {
  return {
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    body,
    zipped: await promisify(gzip)(body, { level: 9 }),
  };
}

/** Said in place of the page, to whoever asks for it. */
export const NOT_BUILT =
  'The page is not built here: `npm run page` in the checkout builds it. The API answers below /v1.\n';

/**
 * The page at `/`, which anybody may load: it holds nothing, and its calls prove who asks like all others. The names of its
 * parts change with their content, so that they are kept for ever, and only the first file is asked for anew.
 */
export const page =
  (folder = BUILT): Routes =>
  (app) => {
    const current = latest(folder);
    app.get('/', async (c) => {
      const file = (await current())?.get('/');
      if (file === undefined) return c.text(NOT_BUILT, 503, { 'Cache-Control': 'no-store' });
      return answer(c, file, 'no-cache');
    });
    app.get('/assets/:name', async (c) => {
      const file = (await current())?.get(`/assets/${c.req.param('name')}`);
      if (file === undefined) return await c.notFound();
      return answer(c, file, 'public, max-age=31536000, immutable');
    });
  };

/** Reads the folder when first asked, and again when it was built anew. */
function latest(folder: string): () => Promise<PageFiles | undefined> {
  let read: { readonly stamp: string; readonly files: Promise<PageFiles | undefined> } | undefined;
  return async () => {
    const stamp = await stat(join(folder, 'index.html')).then(
      ({ mtimeMs, ino }) => `${mtimeMs} ${ino}`,
      () => undefined,
    );
    if (stamp === undefined) return undefined;
    if (read?.stamp !== stamp) read = { stamp, files: readPage(folder) };
    return await read.files;
  };
}

function answer(c: Context<AppEnv>, { type, etag, body, zipped }: PageFile, caching: string): Response {
  const headers = { ETag: etag, 'Cache-Control': caching, Vary: 'Accept-Encoding' };
  if (namesTag(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers);
  const isZipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/.test(c.req.header('accept-encoding') ?? '');
  return c.body(isZipped ? zipped : body, 200, {
    ...headers,
    'Content-Type': type,
    ...(isZipped ? { 'Content-Encoding': 'gzip' } : {}),
  });
}

/** Weak or not: proxies that zip what we send make tags weak. */
function namesTag(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}
