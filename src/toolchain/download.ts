import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'undici';
import { BackstayError } from '../errors/index.ts';
import type { DownloadSpec, ToolSpec } from './catalogue.ts';
import { extractMember } from './tar.ts';

/** A network that says no says it within this time; one that stalls is given up after it. */
const PATIENCE_MS = 4_000;
const STALL_MS = 20_000;

export interface DownloadRequest {
  readonly tool: ToolSpec;
  readonly spec: DownloadSpec;
  /** Empty folder; the program and what belongs to it end up in `bin` below it. */
  readonly staging: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Origins that did not answer, with why: the next tool need not try them again. */
  readonly unreachable: Map<string, string>;
  readonly signal?: AbortSignal;
  readonly onProgress: (progress: { message: string; fraction?: number }) => void;
}

export type DownloadAnswer =
  | { readonly state: 'done'; readonly program: string }
  /** Not to be had here; building is next. */
  | { readonly state: 'refused'; readonly reason: string };

/** Fetches the official program. Never throws for the network's sake; a wrong checksum is a refusal as well. */
export async function download(request: DownloadRequest): Promise<DownloadAnswer> {
  try {
    return request.spec.kind === 'pulumi' ? await installPulumi(request) : await fetchFile(request, request.spec);
  } catch (error) {
    request.signal?.throwIfAborted();
    return { state: 'refused', reason: reasonOf(error) };
  }
}

async function installPulumi({
  tool,
  staging,
  unreachable,
  onProgress,
  ...rest
}: DownloadRequest): Promise<DownloadAnswer> {
  await open(new URL('https://get.pulumi.com/install.sh'), 'HEAD', { unreachable, ...rest });
  onProgress({ message: `installing Pulumi ${tool.version} from get.pulumi.com` });
  const [{ PulumiCommand }, { SemVer }] = await Promise.all([
    import('@pulumi/pulumi/automation/index.js'),
    import('semver'),
  ]);
  await PulumiCommand.install({ root: staging, version: new SemVer(tool.version) });
  return { state: 'done', program: join('bin', 'pulumi') };
}

async function fetchFile(
  request: DownloadRequest,
  spec: Extract<DownloadSpec, { kind: 'file' }>,
): Promise<DownloadAnswer> {
  const { tool, staging, env, onProgress } = request;
  const base = (env[spec.baseVariable] || spec.base).replace(/\/$/, '');
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const url = new URL(`${base}/${spec.path(tool.version, process.platform, arch)}`);
  const sumText = await (await open(new URL(`${url.href}.sha512`), 'GET', request)).text();
  const expected = /^[0-9a-f]{128}\b/i.exec(sumText.trim())?.[0].toLowerCase();
  if (expected === undefined) return { state: 'refused', reason: `${url.href}.sha512 holds no SHA-512` };

  const response = await open(url, 'GET', request);
  const bin = join(staging, 'bin');
  await mkdir(bin, { recursive: true });
  const fetched = join(staging, 'fetched');
  const actual = await save(response, fetched, request, (fraction) =>
    onProgress({ message: `downloading ${url.href}`, ...(fraction === undefined ? {} : { fraction }) }),
  );
  if (actual !== expected) return { state: 'refused', reason: `${url.href} does not match its SHA-512` };
  const program = join(bin, tool.name);
  if (spec.member === undefined) await rename(fetched, program);
  else await extractMember(fetched, spec.member, program);
  await rm(fetched, { force: true });
  for (const name of await readdir(bin)) await chmod(join(bin, name), 0o755);
  return { state: 'done', program: join('bin', tool.name) };
}

async function open(
  url: URL,
  method: 'GET' | 'HEAD',
  { unreachable, signal }: Pick<DownloadRequest, 'unreachable' | 'signal'>,
): Promise<Response> {
  const known = unreachable.get(url.origin);
  if (known !== undefined) throw new BackstayError('TOOL_MISSING', known);
  const { EnvHttpProxyAgent, fetch } = await import('undici');
  const headers = new AbortController();
  const timer = setTimeout(
    () => headers.abort(new BackstayError('TIMEOUT', `no answer in ${PATIENCE_MS} ms`)),
    PATIENCE_MS,
  );
  try {
    const response = await fetch(url, {
      method,
      dispatcher: new EnvHttpProxyAgent({ bodyTimeout: STALL_MS }),
      signal: signal === undefined ? headers.signal : AbortSignal.any([signal, headers.signal]),
    });
    if (response.ok) return response;
    throw new BackstayError('TOOL_MISSING', `${url.href} answered ${response.status}`);
  } catch (error) {
    if (error instanceof TypeError || headers.signal.aborted) {
      unreachable.set(url.origin, `${url.origin} cannot be reached: ${reasonOf(error)}`);
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Streams the body into a file and returns its SHA-512 in hex. */
async function save(
  response: Response,
  path: string,
  { signal }: Pick<DownloadRequest, 'signal'>,
  onFraction: (fraction: number | undefined) => void,
): Promise<string> {
  const total = Number(response.headers.get('content-length') ?? 0);
  const hash = createHash('sha512');
  let seen = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      seen += chunk.length;
      onFraction(total > 0 ? seen / total : undefined);
      done(null, chunk);
    },
  });
  if (response.body === null) throw new BackstayError('TOOL_MISSING', `${response.url} answered without a body`);
  await pipeline(Readable.fromWeb(response.body), meter, createWriteStream(path), { signal });
  return hash.digest('hex');
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
